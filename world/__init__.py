"""A simulated operator with a known truth: what customers are, do and would do, written as events and beside them."""
