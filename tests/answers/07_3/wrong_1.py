# word: alive and not ready

action = lambda alive, ready, since: "serve" if ready else "restart"
