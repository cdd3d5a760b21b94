"""The commands of ``python -m vecblade``, each in a module: programs that use the package as its users do."""
