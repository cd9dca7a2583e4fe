"""Races: many exchange the same refresh token at the same time; others end the session or prune meanwhile.

It must not know engines, nor whether the others are processes or threads.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flask_jwt_extended.exceptions import StoreUnavailableError

from .application import Answer
from .crowd import Crowd, Member, all_of, everybody, somebody

# --- one successor --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Round:
    """What came of one round.

    :ivar winners: how many have rotated the token
    :ivar successors: how many different refresh tokens were handed out
    :ivar outcomes: what the exchanges came to, by word: see :class:`Answer`
    :ivar unusable: how many got an access token that does not pass
    :ivar slowest: the longest that anybody waited, seconds
    """

    winners: int
    successors: int
    outcomes: Counter[str]
    unusable: int
    slowest: float

    @property
    def refused(self) -> int:
        """How many did not get a pair."""
        return sum(count for outcome, count in self.outcomes.items() if outcome not in ("won", "replayed"))

    @property
    def good(self) -> bool:
        """One winner, one successor, no refusal."""
        return self.winners == self.successors == 1 and not self.refused and not self.unusable


def race(crowd: Crowd) -> Round:
    """Let all members exchange the refresh token of a new session at the same time."""
    pair: Answer = somebody(crowd, login)
    assert pair.status == 200, f"The login was answered with {pair.status}"
    outcomes: list[tuple[Answer, bool]] = everybody(crowd, exchange, pair.refresh)
    answers = [answer for answer, _ in outcomes]
    return Round(
        winners=sum(answer.outcome == "won" for answer in answers),
        successors=len({answer.jti for answer in answers if answer.status == 200}),
        outcomes=Counter(answer.outcome for answer in answers),
        unusable=sum(not passes for _, passes in outcomes),
        slowest=max(answer.seconds for answer in answers),
    )


def login(member: Member) -> Answer:
    """Start a session."""
    return member.client.login()


def exchange(member: Member, token: str) -> tuple[Answer, bool]:
    """Exchange a token with all others at once, and see whether the access token passes."""
    member.meet()
    answer = member.client.refresh(token)
    return answer, answer.status == 200 and member.client.view(answer.access).status == 200


# --- an end is an end -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chase:
    """What came of a session that was ended while others refreshed it.

    :ivar ended: when the logout was answered
    :ivar answers: what the others were told, refreshes and views
    :ivar survivors: how many of all tokens that were ever handed out still pass
    """

    ended: float
    answers: Sequence[Answer]
    survivors: int

    @property
    def refreshes(self) -> int:
        """How many refreshes went well."""
        return sum(_holds_tokens(answer) for answer in self.answers)

    @property
    def late(self) -> int:
        """How many requests passed though they were sent after the logout was answered."""
        return sum(answer.status == 200 and answer.began > self.ended for answer in self.answers)


def chase(crowd: Crowd, *, seconds: float) -> Chase:
    """Let one member end a session, one prune, one refresh it again and again, and all the others look at it.

    One refreshes, since a second that falls behind by two tokens would be taken for a thief.

    :param seconds: how long it goes on before it is ended
    """
    pair: Answer = somebody(crowd, login)
    watchers = [(keep_looking, pair)] * (crowd.size - 3)
    works = [(log_out, pair, seconds), (keep_pruning, pair), (keep_refreshing, pair), *watchers]
    ended, _, *heard = all_of(crowd, works)
    return _judged(crowd, ended, [pair, *(answer for each in heard for answer in each)])


def end_amid(crowd: Crowd, *, seconds: float) -> Chase:
    """Let one member end a session while all the others exchange its refresh token.

    :param seconds: by how much the end comes later than the exchanges
    """
    pair: Answer = somebody(crowd, login)
    exchanges = [(exchange, pair.refresh)] * (crowd.size - 1)
    ended, *heard = all_of(crowd, [(log_out, pair, seconds), *exchanges])
    return _judged(crowd, ended, [pair, *(answer for answer, _ in heard)])


def _judged(crowd: Crowd, ended: float, answers: Sequence[Answer]) -> Chase:
    return Chase(ended, answers[1:], somebody(crowd, count_good, [each for each in answers if _holds_tokens(each)]))


def log_out(member: Member, pair: Answer, seconds: float) -> float:
    """End a session after a while, and return when that was answered."""
    member.meet()
    time.sleep(seconds)
    answer = member.client.logout(pair.access)
    assert answer.status == 200, f"The logout was answered with {answer.status}"
    return answer.ended


def keep_refreshing(member: Member, pair: Answer) -> list[Answer]:
    """Refresh a session and look at it until it is refused, and return all answers."""
    member.meet()
    answers = [pair]
    while pair.status == 200:
        answers += [member.client.view(pair.access), pair := member.client.refresh(pair.refresh)]
    return answers[1:]


def keep_looking(member: Member, pair: Answer) -> list[Answer]:
    """Look at a session until it is refused, and return all answers."""
    member.meet()
    answers = [member.client.view(pair.access)]
    while answers[-1].status == 200:
        answers.append(member.client.view(pair.access))
    return answers


def keep_pruning(member: Member, pair: Answer) -> int:
    """Prune until a session is refused, and return how many records went."""
    member.meet()
    pruned = 0
    while member.client.view(pair.access).status == 200:
        try:
            pruned += member.client.store.prune(time.time(), 100)
        except StoreUnavailableError:
            time.sleep(0.01)
    return pruned


def count_good(member: Member, pairs: Sequence[Answer]) -> int:
    """Count the tokens that pass: access tokens first, since a refresh token that was used before ends what goes on."""
    passing = sum(member.client.view(token).status == 200 for token in {pair.access for pair in pairs})
    return passing + sum(member.client.refresh(token).status == 200 for token in {pair.refresh for pair in pairs})


def _holds_tokens(answer: Answer) -> bool:
    return "refresh_token" in answer.body
