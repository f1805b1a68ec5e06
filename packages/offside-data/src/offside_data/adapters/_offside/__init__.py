"""The published OFFSIDE records: rows, rules and the records made of them."""
