"""Which equipment of the register a found machine may be, and what the others need to be connected."""
