"""Where exports of the evidence ledger are kept out of everybody's reach."""
