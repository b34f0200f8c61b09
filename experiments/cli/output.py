"""What a quiet command says of how it is going."""


def hush(_: object) -> None:
    """Nothing."""
