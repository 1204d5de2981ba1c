"""Everything that only training needs; Lightning lives here."""
