"""Tables of claims as records: reading sheets, matching columns, understanding cells."""
