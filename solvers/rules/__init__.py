"""`rule_based`: fixed priorities and no foresight, for many designs at once."""
