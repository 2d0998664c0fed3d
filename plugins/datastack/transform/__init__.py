"""What the dbt project declares, and whether it keeps the rules."""
