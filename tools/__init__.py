"""Tools of the repository, none of them part of the package."""
