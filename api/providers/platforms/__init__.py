"""The platforms' own APIs, as far as secret stores and hosting share them: one client each."""
