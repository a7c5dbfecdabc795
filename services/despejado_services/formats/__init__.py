"""Writers of result tables, and the choice among them."""
