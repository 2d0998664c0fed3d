"""How an API knows who asks. Secrets stand in the Airflow connection, never here."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from datastack.contract.model import Frozen


class NoAuth(Frozen):
    """Anybody may ask."""

    kind: Literal["none"]


class ApiKey(Frozen):
    """The connection's password, in a header or in the query."""

    kind: Literal["api_key"]
    header: str | None = Field(default=None, min_length=1)
    query: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _in_one_place(self) -> "ApiKey":
        if (self.header is None) == (self.query is None):
            raise ValueError("name the header or the query parameter that takes the key: one of header, query")
        return self


class Basic(Frozen):
    """The connection's login and password (RFC 7617)."""

    kind: Literal["basic"]


class Bearer(Frozen):
    """The connection's password as a bearer token (RFC 6750)."""

    kind: Literal["bearer"]


class OAuth2(Frozen):
    """Where access tokens come from, and how the client shows there who it is: its login and password."""

    token_url: str = Field(pattern=r"^(/|https?://)", description="a path at the API's address, or a whole address")
    client_auth: Literal["body", "basic"] = "body"
    form: dict[str, str] = Field(default={}, description="further fields of the request, as scope or audience")


class OAuth2ClientCredentials(OAuth2):
    """A bearer token for the connection's login and password (RFC 6749, section 4.4)."""

    kind: Literal["oauth2_client_credentials"]


class OAuth2RefreshToken(OAuth2):
    """A bearer token for the refresh token in the connection's extra, ``refresh_token`` (RFC 6749, section 6)."""

    kind: Literal["oauth2_refresh_token"]


Auth = Annotated[
    NoAuth | ApiKey | Basic | Bearer | OAuth2ClientCredentials | OAuth2RefreshToken, Field(discriminator="kind")
]
