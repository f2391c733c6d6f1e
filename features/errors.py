"""Every error that Holdfast raises on purpose.

HoldfastError
├── InputError            what came in can't be taken: a row, a request, a file
│   ├── SourceError       a source's mapping, or a file that doesn't fit it
│   ├── TooManyBadRows    more rows were refused than the source allows
│   ├── AmbiguousCustomer one reference names several customers
│   └── ErasedCustomer    nothing may be kept of the customer any more
├── PlaybookError         the business's own words don't hold together
├── ContractError         a row, a bundle and the definitions don't agree
├── NotEnoughData         there is too little history to say anything honest
├── RegistryError         no bundle, or not one that may serve
├── StoreError            the store can't be read or written
└── GivenUp               nobody waits for the answer any more, so nothing was written

A message says what was expected, what was found, and what to do.
"""


class HoldfastError(Exception):
    """The root of the tree; a command prints its message and ends with status 1."""


class InputError(HoldfastError):
    """What came in can't be taken; nothing was changed."""


class SourceError(InputError):
    """A source's mapping is wrong, or a file doesn't fit it."""


class TooManyBadRows(InputError):  # noqa: N818 - it names the finding
    """More rows were refused than the source allows; nothing was written."""


class AmbiguousCustomer(InputError):  # noqa: N818 - it names the finding
    """One reference names several customers."""


class ErasedCustomer(InputError):  # noqa: N818 - it names the finding
    """Everything of the customer was erased, and nothing may be kept again."""


class PlaybookError(HoldfastError):
    """The business's own words don't hold together."""


class ContractError(HoldfastError):
    """A row, a bundle and the feature definitions don't agree."""


class NotEnoughData(HoldfastError):  # noqa: N818 - it names the finding
    """There is too little history to say anything honest."""


class RegistryError(HoldfastError):
    """There is no bundle, or not one that may serve."""


class StoreError(HoldfastError):
    """The store can't be read or written."""


class GivenUp(HoldfastError):  # noqa: N818 - it names the finding
    """Nobody waits for the answer any more, so nothing was written."""
