"""Why a galaxy has no cutout.

====================================  ==================================================================
reason                                means
====================================  ==================================================================
``http-404`` and so on                the server's status; 4xx are final but for 408, 425 and 429
``timeout``                           no answer, or the answer did not end, in the time allowed
``connection``                        nobody there, or a connection that broke before the answer began
``cut-off``                           the answer ended before its Content-Length, or the connection did
``empty``                             an answer of no bytes
``not-fits``, ``not-jpeg``            something else with status 200, such as a page for people
``truncated``, ``corrupt-image``      the file's own structure says that a part is missing or damaged
``too-large``                         more bytes than such a cutout can have
``wrong-bands``, ``wrong-size``       a good file of something else: the layer lacks a band, mostly
``no-coverage``                       outside of the layer's footprint: not one pixel with light
``not-tried``                         the run was ended before
``no-position``                       right ascension or declination is blank
and of `mergerscope.survey.records`   a row that cannot be used: ``duplicate-id``, ``position-out-of-range``
====================================  ==================================================================
"""

from __future__ import annotations

__all__ = ["NOT_TRIED", "FetchError"]

NOT_TRIED = "not-tried"


class FetchError(Exception):
    """One attempt has failed; becomes a row of ``failed.csv`` when no further one is made."""

    def __init__(self, reason: str, detail: str, *, again: bool, wait_s: float | None = None) -> None:
        """Tell what was got.

        Args:
            reason: short code, see the module's text.
            detail: what exactly.
            again: whether another attempt may end better.
            wait_s: seconds for which the server asked to be left alone.
        """
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.again = again
        self.wait_s = wait_s
