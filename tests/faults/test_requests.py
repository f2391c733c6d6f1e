"""Whatever is sent, everybody else is answered, and nothing of it is kept but as data."""

from benchmarks.faults import bodies, injections, malformed, sockets
from benchmarks.faults.found import Found
from benchmarks.faults.served import Running


def well(found: Found) -> None:
    assert found.holds, found.note
    assert found.caused


def test_bodies_of_10_mb_and_more_are_answered_or_refused(service: Running) -> None:
    well(bodies.large(service.url, (10, 17)))


def test_lists_and_objects_that_are_100_000_deep_are_refused(service: Running) -> None:
    well(bodies.deep(service.url))


def test_what_is_no_finite_number_is_refused_in_every_number(service: Running) -> None:
    well(bodies.numbers(service.url))


def test_what_is_no_text_is_refused_in_every_text(service: Running) -> None:
    well(bodies.texts(service.url))


def test_requests_that_break_off_harm_nobody(service: Running) -> None:
    well(sockets.half_sent(service.url, 60))


def test_clients_that_send_a_byte_a_second_keep_nobody_waiting(service: Running) -> None:
    well(sockets.slow_clients(service.url, 200, 3.0))


def test_what_is_no_http_is_not_answered(service: Running) -> None:
    well(sockets.garbage(service.url))


def test_injections_are_kept_as_data_or_refused(service: Running) -> None:
    well(injections.injections(service.url, service.place, injections.PAYLOADS[::6]))


def test_of_10_000_malformed_events_and_what_is_told_with_them_none_is_written(service: Running) -> None:
    well(malformed.malformed(service.url, service.place, 60))
