from urllib.parse import urlparse


def trusted(host, origin, allowed):
    match origin:
        case None:
            return host in allowed
        case str():
            return {host} & allowed == {urlparse(origin).netloc}
    return False
