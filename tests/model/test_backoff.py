from edge_agent.model.backoff import Backoff


def test_delays_double_to_the_limit_and_start_again_after_a_success() -> None:
    longest = Backoff(1, 10, draw=lambda: 1.0)
    assert [longest.next() for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    longest.reset()
    assert longest.next() == 1


def test_jitter_spreads_over_the_upper_half() -> None:
    assert Backoff(8, 60, draw=lambda: 0.0).next() == 4
    draws = [Backoff(8, 60).next() for _ in range(200)]
    assert all(4 <= d <= 8 for d in draws)
    assert max(draws) - min(draws) > 2
