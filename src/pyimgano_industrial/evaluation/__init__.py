"""Protocols from data set and detector to results, submissions and reports."""
