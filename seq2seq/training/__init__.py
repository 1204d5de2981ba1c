"""The parts that only training needs; Lightning lives here."""
