# word: not a browser
# Programs are shut out.

trusted = lambda host, origin, allowed: host in allowed and origin == "http://" + host
