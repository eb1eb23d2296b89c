"""How small and how fast the minifiers are beside others."""
