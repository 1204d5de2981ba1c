"""What a source is to the layers that read it: tokens, or frames."""
