"""A lock is one thread's at a time, and open in a process that is forked while another thread holds it."""

import copy
import os
import pickle
import sys
import threading

import pytest

from seq2seq.locks import Lock


def test_it_is_one_thread_s_at_a_time_which_may_take_it_again():
    lock, order = Lock(), []

    def other() -> None:
        with lock:
            order.append("other")

    thread = threading.Thread(target=other)
    with lock, lock:
        thread.start()
        thread.join(0.05)
        order.append("own")
    thread.join(30)
    assert order == ["own", "other"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no process")
def test_it_is_open_in_a_forked_process():
    lock, held, may_end = Lock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            may_end.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if not child:  # where no thread is left to open it
        os._exit(0 if lock._lock.acquire(timeout=5) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert not lock._lock.acquire(blocking=False)
    may_end.set()
    thread.join(30)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no process")
def test_a_forked_process_ends_as_it_will_where_the_thread_that_forked_it_holds_the_lock():
    lock, child = Lock(), None
    try:
        with lock, lock:
            child = os.fork()
            if not child:
                with lock:
                    pass
                free = []
                thread = threading.Thread(target=lambda: free.append(lock._lock.acquire(timeout=5)))
                thread.start()
                thread.join(30)
                sys.exit(3 if free == [True] else 4)
    except BaseException as error:
        if child == 0:
            os._exit(error.code if isinstance(error, SystemExit) else 1)
        raise
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda lock: pickle.loads(pickle.dumps(lock))])
def test_a_copy_is_a_lock_of_its_own(copied):
    lock = Lock()
    with lock:
        found = []
        thread = threading.Thread(target=lambda: found.append(copied(lock)._lock.acquire(blocking=False)))
        thread.start()
        thread.join(30)
    assert found == [True]
