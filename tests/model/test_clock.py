from edge_agent.model.clock import SteadyClock


class Times:
    wall = 1_000_000_000_000_000_000
    monotonic = 5_000_000_000

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.monotonic)


def test_a_backward_step_of_the_system_clock_does_not_turn_time_back() -> None:
    times = Times()
    clock = times.clock()
    before = clock.now_ms()
    times.monotonic += 1_000_000_000
    times.wall -= 3_600_000_000_000
    assert clock.now_ms() == before + 1000
    assert clock.offset_ms() == -3_601_000
    assert clock.follow_forward() == 0
    assert clock.now_ms() == before + 1000


def test_a_forward_step_is_followed_when_asked_and_its_size_is_said() -> None:
    times = Times()
    clock = times.clock()
    before = clock.now_ms()
    times.wall += 7_000_000_000
    assert clock.now_ms() == before
    assert clock.follow_forward() == 7000
    assert clock.now_ms() == before + 7000
    assert clock.offset_ms() == 0
