"""The secrets of a connection, and what keeps them out of messages."""

from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from datastack.source.errors import SourceError

_SHORTEST = 4  # characters: anything shorter stands in every other word


@dataclass(frozen=True)
class Credentials:
    """What a connection holds: login and password, and the fields of its extra that may be asked for."""

    connection: str
    login: str = ""
    password: str = field(default="", repr=False)
    extra: dict[str, str] = field(default_factory=dict, repr=False)

    def field_of_extra(self, name: str, for_what: str) -> str:
        """Return a field of the extra.

        :raises SourceError: if it is not there, or empty.
        """
        if not self.extra.get(name):
            raise SourceError(
                f"connection {self.connection!r}: its extra has no field {name!r}, which {for_what} needs. Add it"
            )
        return self.extra[name]


class Redactor:
    """Takes secrets out of texts, in the ways they are written in addresses too."""

    def __init__(self, *secrets: str) -> None:
        self._forms: list[str] = []
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Know one more secret."""
        if len(secret) >= _SHORTEST:
            self._forms += {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
            self._forms.sort(key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        for form in self._forms:
            text = text.replace(form, "***")
        return text
