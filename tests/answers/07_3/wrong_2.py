# word: ready early

action = lambda alive, ready, t: "wait" if t < 60 else "serve" if ready else "hold" if alive else "restart"
