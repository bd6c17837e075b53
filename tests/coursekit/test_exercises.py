"""Exercises: solutions and other right answers pass, starters and plausible wrong answers do not."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import nbformat
import pytest

from coursekit import exercises
from coursekit.copies import ORIGINS, lessons
from coursekit.errors import WorkbookError

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = [item.number for item in lessons() if (ROOT / "coursekit/checks" / f"nb{item.number}.py").exists()]
EXERCISES = [number for notebook in NUMBERS for number in exercises.exercises(notebook)]

# More right answers for each exercise, and wrong ones that a student could well write.
RIGHT = {
    "01.1": [
        """
        def usable(base_url, model):
            import json, urllib.request
            try:
                with urllib.request.urlopen(base_url + "/models", timeout=2) as reply:
                    return model in [entry["id"] for entry in json.load(reply)["data"]]
            except OSError:
                return False
        """,
        """
        def usable(base_url, model):
            from labkit import LabError
            from labkit.listing import list_models
            try:
                return model in list_models(base_url)
            except LabError:
                return False
        """,
    ],
    "01.2": [
        """
        import re
        def full_id(name, listed):
            pattern = re.compile(re.escape(name) + r"-[a-z]+-(cpu|gpu|npu):(\\d+)")
            found = sorted((int(m[2]), m[0]) for m in map(pattern.fullmatch, listed) if m)
            if not found:
                raise KeyError(name)
            return found[-1][1]
        """,
    ],
    "01.3": ["is_whole = lambda answer: answer.choices[0].finish_reason != 'length'"],
    "01.4": [
        """
        def next_messages(history, question, reply):
            copy = list(history)
            copy.append(dict(role="user", content=question))
            copy.append(dict(role="assistant", content=reply))
            return copy
        """,
        """
        def next_messages(history, question, reply):
            return history + [{"content": question, "role": "user"}, {"content": reply, "role": "assistant"}]
        """,
    ],
    "02.1": [
        """
        import asyncio
        async def at_most(limit, jobs):
            results = [None] * len(jobs)
            queue = list(enumerate(jobs))[::-1]
            async def worker():
                while queue:
                    number, job = queue.pop()
                    results[number] = await job()
            await asyncio.gather(*(worker() for _ in range(limit)))
            return results
        """,
    ],
    "02.2": [
        """
        def nearest_rank(values, percent):
            for value in sorted(values):
                if 100 * sum(other <= value for other in values) >= percent * len(values):
                    return value
        """,
    ],
    "02.3": [
        """
        def first_token(request, chunks):
            for at, text in chunks:
                if len(text) > 0:
                    return at - request
            return None
        """,
    ],
    "02.4": [
        """
        def trim(messages, sizes, budget):
            pairs = list(zip(messages, sizes))
            head = [pairs.pop(0)] if messages[0]["role"] == "system" else []
            size = lambda: sum(size for _, size in head + pairs)
            while len(pairs) > 1 and (size() > budget or pairs[0][0]["role"] != "user"):
                pairs.pop(0)
            return [message for message, _ in head + pairs]
        """,
    ],
    "03.1": [
        """
        import re
        def mentions(text, phrase):
            return re.search(rf"(?<!\\w){re.escape(phrase)}(?!\\w)", text, re.IGNORECASE) is not None
        """,
    ],
    "03.2": [
        """
        def threshold_for(scores, share):
            good = [score for score in scores if len([x for x in scores if x >= score]) <= share * len(scores)]
            return min(good, default=None)
        """,
    ],
    "03.3": [
        """
        def is_card(text):
            digits = text.replace("-", " ").replace(" ", "")
            if not (digits.isascii() and digits.isdigit() and 13 <= len(digits) <= 19):
                return False
            total = 0
            for place, digit in enumerate(reversed(digits)):
                value = int(digit) * (1 + place % 2)
                total += value // 10 + value % 10
            return total % 10 == 0
        """,
    ],
    "03.4": ["my_score = lambda prompt: 1.0 if any(letter in prompt.lower() for letter in 'åäö') else 0.0"],
    "03.5": [
        """
        def again(what, shown):
            passes = {429, 500, 502, 503, 504, "dropped", "no connection"}
            return not shown and what in passes
        """,
    ],
    "04.1": [
        """
        def visible(messages):
            result = []
            for kind, text in messages:
                if kind == "note":
                    continue
                if kind == "user" and result and result[-1][0] == "user":
                    result.pop()
                result.append((kind, text))
            return result
        """,
    ],
    "04.2": [
        """
        def next_up(waiting, running, width):
            now = []
            while waiting and running < width:
                now.append(waiting.pop(0))
                running += 1
            return now, dict(zip(waiting, range(1, len(waiting) + 1)))
        """,
    ],
    "04.3": [
        "trusted = lambda host, origin, allowed: host in allowed and origin in (None, 'http://' + host)",
    ],
    "04.4": ["may_try = lambda tries, now, most, seconds: len([t for t in tries if t > now - seconds]) < most"],
    "05.1": [
        """
        import numpy as np
        def probabilities(logits):
            raised = np.exp(np.array(logits) - np.max(logits))
            return list(raised / raised.sum())
        """,
    ],
    "05.2": [
        """
        import numpy as np
        def shift(picture):
            ink = np.array(picture)
            rows, columns = np.indices(ink.shape)
            return tuple(int(round(13.5 - (each * ink).sum() / ink.sum())) for each in (rows, columns))
        """,
    ],
    "05.3": ["import numpy as np\nsummary = lambda taken: (taken[0], float(np.median(taken[1:])))"],
    "05.4": [
        "headers = lambda origin, allowed: {'vary': 'Origin'} | ("
        "{'access-control-allow-origin': origin} if origin in allowed else {})"
    ],
    "06.1": [
        """
        def calls(settings):
            names = ["TITLE", "TAGS", "FOLLOW_UP"]
            off = [name for name in names if settings.get(f"ENABLE_{name}_GENERATION", "").lower() == "false"]
            return 4 - len(off)
        """,
    ],
    "06.3": [
        """
        def diagnose(endpoint, shown):
            if endpoint is None:
                return "endpoint"
            if len(endpoint) == 0:
                return "model"
            for name in endpoint:
                if name not in shown:
                    return "address"
            return "fine"
        """,
    ],
    "06.4": [
        """
        def reaches(listens, system, by):
            if by == "localhost":
                return False
            return by == "host network" or system in ("macos", "windows") or listens == "0.0.0.0"
        """,
    ],
    "06.2": [
        """
        def wait_until(probe, seconds, clock, sleep):
            begun = clock()
            while clock() - begun < seconds:
                try:
                    if probe():
                        return True
                except OSError:
                    pass
                sleep(0.25)
            return False
        """,
    ],
    "07.1": [
        """
        import math
        import re

        def mistakes(environ):
            def finite(text):
                try:
                    return math.isfinite(float(text)) and float(text) > 0
                except ValueError:
                    return False

            rules = {
                "PORT": lambda text: re.fullmatch("[0-9]{1,5}", text) and 1 <= int(text) <= 65535,
                "TIMEOUT": finite,
                "MODE": lambda text: text in {"production", "development"},
                "SECRET": lambda text: environ.get("MODE") != "production" or len(text) >= 32,
            }
            found = [name for name, rule in rules.items() if name in environ and not rule(environ[name])]
            if environ.get("MODE") == "production" and "SECRET" not in environ:
                found.append("SECRET")
            return found
        """,
    ],
    "07.3": [
        "action = lambda alive, ready, t: ('serve' if ready else 'hold') if alive else ('restart', 'wait')[t < 60]",
    ],
    "07.2": [
        """
        def quantile(buckets, share):
            total = buckets[-1][1]
            if total == 0:
                return None
            rank = share * total
            index = next(i for i, (_, count) in enumerate(buckets) if count >= rank)
            low, before = buckets[index - 1] if index else (0.0, 0.0)
            high, count = buckets[index]
            if high == float("inf"):
                return low
            return low + (high - low) * (rank - before) / (count - before)
        """,
    ],
    "07.4": [
        """
        def upgrade(database, steps):
            database.execute("BEGIN IMMEDIATE")
            done = False
            try:
                for step in steps:
                    database.execute(step)
                done = True
            finally:
                database.execute("COMMIT" if done else "ROLLBACK")
        """,
        """
        def upgrade(database, steps):
            with database:
                database.execute("BEGIN")
                for step in steps:
                    database.execute(step)
        """,
    ],
    "07.5": ["saturation = lambda service_s, slots, think_s: slots * (1 + think_s / service_s)"],
}
WRONG = {
    "02.1": [
        # One after the other.
        """
        async def at_most(limit, jobs):
            return [await job() for job in jobs]
        """,
        # In the order in which they end.
        """
        import asyncio
        async def at_most(limit, jobs):
            door, results = asyncio.Semaphore(limit), []
            async def one(job):
                async with door:
                    results.append(await job())
            await asyncio.gather(*(one(job) for job in jobs))
            return results
        """,
        # A door for each job is no door.
        """
        import asyncio
        async def at_most(limit, jobs):
            async def one(job):
                async with asyncio.Semaphore(limit):
                    return await job()
            return await asyncio.gather(*(one(job) for job in jobs))
        """,
        # Never ends.
        """
        import asyncio
        async def at_most(limit, jobs):
            await asyncio.Event().wait()
        """,
    ],
    "02.2": [
        "nearest_rank = lambda values, percent: sum(values) / len(values)",
        "nearest_rank = lambda values, percent: sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]",
        "nearest_rank = lambda values, percent: max(values)",
        # Changes the list.
        """
        import math
        def nearest_rank(values, percent):
            values.sort()
            return values[max(1, math.ceil(len(values) * percent / 100)) - 1]
        """,
        # Another definition: linear between neighbours.
        """
        from labkit.latency import percentile
        nearest_rank = percentile
        """,
    ],
    "02.3": [
        "first_token = lambda request, chunks: chunks[1][0] - request",
        "first_token = lambda request, chunks: next(at - request for at, text in chunks if text)",
        "first_token = lambda request, chunks: next((at for at, text in chunks if text), None)",
        "first_token = lambda request, chunks: next((at - request for at, text in chunks if text.strip()), None)",
        "first_token = lambda request, chunks: next((at - request for at, text in chunks if text), None) or None",
    ],
    "02.4": [
        # Trims by number of messages.
        "trim = lambda messages, sizes, budget: messages[:1] + messages[-2:]",
        # Loses the system message.
        """
        def trim(messages, sizes, budget):
            while len(messages) > 1 and sum(sizes) > budget:
                messages, sizes = messages[1:], sizes[1:]
            return messages
        """,
        # May begin with an answer.
        """
        def trim(messages, sizes, budget):
            head = 1 if messages[0]["role"] == "system" else 0
            first = head
            while first < len(messages) - 1 and sum(sizes[:head]) + sum(sizes[first:]) > budget:
                first += 1
            return messages[:head] + messages[first:]
        """,
        # Changes the list.
        """
        def trim(messages, sizes, budget):
            while len(messages) > 2 and (sum(sizes) > budget or messages[1]["role"] != "user"):
                del messages[1], sizes[1]
            return messages
        """,
    ],
    "01.1": [
        # Asks, and never compares.
        """
        def usable(base_url, model):
            try:
                openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0).models.list()
                return True
            except openai.APIError:
                return False
        """,
        # Forgets that nobody may be there.
        """
        def usable(base_url, model):
            client = openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0)
            return any(entry.id == model for entry in client.models.list())
        """,
        # The seed's health check: it generates.
        """
        def usable(base_url, model):
            client = openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0)
            try:
                client.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}], max_tokens=1)
                return True
            except openai.APIError:
                return False
        """,
        # A text instead of a truth value.
        "usable = lambda base_url, model: 'ok'",
    ],
    "01.2": [
        # Versions compared as text.
        """
        def full_id(name, listed):
            found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
            if not found:
                raise LookupError(name)
            return max(found)
        """,
        # The first that begins with the name.
        """
        def full_id(name, listed):
            for model in listed:
                if model.startswith(name + "-"):
                    return model
            raise LookupError(name)
        """,
        # A silent fallback.
        """
        def full_id(name, listed):
            found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
            return max(found or listed, key=lambda m: int(m.rpartition(":")[2]))
        """,
    ],
    "01.3": [
        "is_whole = lambda answer: answer.usage.completion_tokens < 20",
        "is_whole = lambda answer: bool(answer.choices[0].message.content)",
        "is_whole = lambda answer: answer.choices[0].finish_reason",
    ],
    "01.4": [
        # Changes the list it was given.
        """
        def next_messages(history, question, reply):
            history += [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
            return history
        """,
        # Forgets the reply.
        "next_messages = lambda h, q, r: [*h, {'role': 'user', 'content': q}]",
        # Swaps the roles.
        """
        def next_messages(history, question, reply):
            return [*history, {"role": "assistant", "content": question}, {"role": "user", "content": reply}]
        """,
        # Loses what was before.
        "next_messages = lambda h, q, r: [{'role': 'user', 'content': q}, {'role': 'assistant', 'content': r}]",
    ],
    "03.1": [
        # White space is not the only end of a word.
        "mentions = lambda text, phrase: f' {phrase} ' in f' {text.lower()} '",
        # Letters of English only.
        """
        import re
        def mentions(text, phrase):
            return re.search(rf"(?<![a-z]){phrase}(?![a-z])", text.lower()) is not None
        """,
        # One word at a time.
        """
        import re
        def mentions(text, phrase):
            return phrase in re.findall(r"\\w+", text.lower())
        """,
        # Forgets the case.
        """
        import re
        def mentions(text, phrase):
            return re.search(rf"\\b{phrase}\\b", text) is not None
        """,
    ],
    "03.2": [
        "threshold_for = lambda scores, share: sorted(scores, reverse=True)[max(0, int(len(scores) * share) - 1)]",
        # Equal scores are not looked at.
        """
        def threshold_for(scores, share):
            count = int(len(scores) * share)
            return sorted(scores)[-count] if count else None
        """,
        # More than the budget.
        """
        def threshold_for(scores, share):
            for score in sorted(set(scores), reverse=True):
                if sum(other >= score for other in scores) >= share * len(scores):
                    return score
        """,
    ],
    "03.3": [
        # From the left.
        """
        def is_card(text):
            digits = [int(sign) for sign in text.replace(" ", "").replace("-", "") if sign.isdigit()]
            doubled = [2 * d - 9 if d > 4 else 2 * d for d in digits[::2]]
            return 13 <= len(digits) <= 19 and (sum(digits[1::2]) + sum(doubled)) % 10 == 0
        """,
        # Without the nine.
        """
        def is_card(text):
            digits = [int(sign) for sign in text if sign.isdigit()]
            return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(2 * d for d in digits[-2::-2])) % 10 == 0
        """,
        # Any length.
        """
        def is_card(text):
            digits = [int(sign) for sign in text if sign.isdigit()]
            doubled = [2 * d - 9 if d > 4 else 2 * d for d in digits[-2::-2]]
            return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
        """,
        # Letters in between are left out.
        """
        def is_card(text):
            digits = [int(sign) for sign in text if sign.isdigit()]
            doubled = [2 * d - 9 if d > 4 else 2 * d for d in digits[-2::-2]]
            return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
        """,
    ],
    "03.4": [
        "my_score = lambda prompt: len(prompt.split()) / (100 + len(prompt.split()))",
        "my_score = lambda prompt: 0.5",
        "my_score = lambda prompt: len(prompt)",
        # The wrong way round.
        "my_score = lambda prompt: 0.1 if any(letter in prompt.lower() for letter in 'åäö') else 0.9",
        "my_score = lambda prompt: float('nan')",
    ],
    "03.5": [
        # A time-out may pass too, but it has cost its time.
        "again = lambda what, shown: not shown and (what in ('dropped', 'timed out', 'no connection') or what >= 429)",
        # Forgets what was shown.
        "again = lambda what, shown: what in (429, 500, 503, 'dropped', 'no connection')",
        "again = lambda what, shown: not shown and isinstance(what, int) and what >= 429",
        "again = lambda what, shown: not shown and what in (400, 401, 404, 429, 500, 503, 'dropped', 'no connection')",
    ],
    "04.1": [
        "visible = lambda messages: messages",
        # Drops the last question too.
        """
        def visible(messages):
            kept = [m for m in messages if m[0] != "note"]
            return [m for m, after in zip(kept, kept[1:]) if "answer" in (m[0], after[0])]
        """,
        # A note is taken for the answer.
        """
        def visible(messages):
            result = []
            for index, message in enumerate(messages):
                after = messages[index + 1][0] if index + 1 < len(messages) else "answer"
                if message[0] == "answer" or (message[0] == "user" and after != "user"):
                    result.append(message)
            return result
        """,
    ],
    "04.2": [
        # Negative numbers cut from the end.
        """
        def next_up(waiting, running, width):
            free = width - running
            return waiting[:free], {name: place for place, name in enumerate(waiting[free:], 1)}
        """,
        # Counts from 0.
        """
        def next_up(waiting, running, width):
            free = max(0, width - running)
            return waiting[:free], {name: place for place, name in enumerate(waiting[free:])}
        """,
        # The places of before.
        """
        def next_up(waiting, running, width):
            free = max(0, width - running)
            return waiting[:free], {name: waiting.index(name) + 1 for name in waiting[free:]}
        """,
    ],
    "04.3": [
        "trusted = lambda host, origin, allowed: origin is None or origin.startswith('http://127.0.0.1:8080')",
        # Never looks at the host.
        "trusted = lambda host, origin, allowed: origin is None or origin.split('//')[-1] in allowed",
        # Any of our names.
        """
        def trusted(host, origin, allowed):
            return host in allowed and (origin is None or origin.split("//")[-1] in allowed)
        """,
        "trusted = lambda host, origin, allowed: host in allowed and (origin is None or host in origin)",
        # Programs are shut out.
        "trusted = lambda host, origin, allowed: host in allowed and origin == 'http://' + host",
    ],
    "04.4": [
        "may_try = lambda tries, now, most, seconds: sum(now - t < seconds for t in tries) <= most",
        "may_try = lambda tries, now, most, seconds: not tries or now - tries[-1] >= seconds or len(tries) < most",
        "may_try = lambda tries, now, most, seconds: sum(now - t <= seconds for t in tries) < most",
    ],
    "05.1": [
        "probabilities = lambda logits: [each / sum(logits) for each in logits]",
        "probabilities = lambda logits: [abs(each) / max(1e-9, sum(map(abs, logits))) for each in logits]",
        "import math\nprobabilities = lambda logits: [math.exp(e) / sum(map(math.exp, logits)) for e in logits]",
        "import math\nprobabilities = lambda logits: [1 / (1 + math.exp(-min(each, 50))) for each in logits]",
        "probabilities = lambda logits: None",
    ],
    "05.2": [
        # Columns first.
        """
        def shift(picture):
            mass = sum(map(sum, picture))
            down = sum(y * sum(row) for y, row in enumerate(picture)) / mass
            across = sum(x * ink for row in picture for x, ink in enumerate(row)) / mass
            return round(13.5 - across), round(13.5 - down)
        """,
        # The middle of the box, whatever its ink weighs.
        """
        def shift(picture):
            ys = [y for y, row in enumerate(picture) if any(row)]
            xs = [x for row in picture for x, ink in enumerate(row) if ink]
            return round(13.5 - (min(ys) + max(ys)) / 2), round(13.5 - (min(xs) + max(xs)) / 2)
        """,
        # The other way.
        """
        def shift(picture):
            mass = sum(map(sum, picture))
            down = sum(y * sum(row) for y, row in enumerate(picture)) / mass
            across = sum(x * ink for row in picture for x, ink in enumerate(row)) / mass
            return round(down - 13.5), round(across - 13.5)
        """,
        "shift = lambda picture: None",
    ],
    "05.3": [
        "summary = lambda taken: (taken[0], sum(taken[1:]) / len(taken[1:]))",
        "from statistics import median\nsummary = lambda taken: (taken[0], median(taken))",
        "summary = lambda taken: (taken[0], min(taken[1:]))",
        "summary = lambda taken: (taken[0], taken[1:][len(taken[1:]) // 2])",
        "summary = lambda taken: sorted(taken)[len(taken) // 2]",
    ],
    "05.4": [
        "headers = lambda origin, allowed: {'Access-Control-Allow-Origin': '*', 'Vary': 'Origin'}",
        "headers = lambda origin, allowed: {'Access-Control-Allow-Origin': origin or '', 'Vary': 'Origin'}",
        "headers = lambda origin, allowed: {'Access-Control-Allow-Origin': origin, 'Vary': 'Origin'} "
        "if any((origin or '').startswith(each) for each in allowed) else {}",
        "headers = lambda origin, allowed: {'Access-Control-Allow-Origin': origin} if origin in allowed else {}",
        "headers = lambda origin, allowed: {'Access-Control-Allow-Origin': origin, 'Vary': 'Origin'} "
        "if origin in allowed else {}",
        "headers = lambda origin, allowed: {'Access-Control-Allow-Origin': sorted(allowed)[0], 'Vary': 'Origin'}",
    ],
    "06.1": [
        "calls = lambda settings: 1",
        "calls = lambda settings: 4 - sum(value == 'false' for value in settings.values())",
        "calls = lambda settings: 4 - sum('GENERATION' in n and v.lower() == 'false' for n, v in settings.items())",
        "calls = lambda settings: 1 + sum(v.lower() == 'true' for n, v in settings.items() if 'GENERATION' in n)",
    ],
    "06.3": [
        "diagnose = lambda endpoint, shown: 'endpoint' if not endpoint else 'fine' if shown else 'address'",
        "diagnose = lambda endpoint, shown: 'fine' if endpoint == shown else 'address' if endpoint else 'endpoint'",
        # Compares first, so that an endpoint without models is fine.
        """
        def diagnose(endpoint, shown):
            if endpoint is None:
                return "endpoint"
            return "fine" if set(endpoint) <= set(shown) else "address"
        """,
        # Takes an order for a difference.
        """
        def diagnose(endpoint, shown):
            if not endpoint:
                return "endpoint" if endpoint is None else "model"
            return "fine" if shown[: len(endpoint)] == endpoint else "address"
        """,
    ],
    "06.4": [
        "reaches = lambda listens, system, by: by == 'host.docker.internal'",
        "reaches = lambda listens, system, by: listens == '0.0.0.0'",
        "reaches = lambda listens, system, by: by != 'localhost'",
        "reaches = lambda listens, system, by: by == 'host.docker.internal' and system != 'linux'",
    ],
    "06.2": [
        # Without a pause.
        """
        def wait_until(probe, seconds, clock, sleep):
            end = clock() + seconds
            while clock() < end:
                try:
                    if probe():
                        return True
                except OSError:
                    pass
            return False
        """,
        # A refused connection gets through.
        """
        def wait_until(probe, seconds, clock, sleep):
            end = clock() + seconds
            while clock() < end:
                if probe():
                    return True
                sleep(0.5)
            return False
        """,
        # Sleeps the whole time first.
        """
        def wait_until(probe, seconds, clock, sleep):
            sleep(seconds)
            try:
                return probe()
            except OSError:
                return False
        """,
        # Gives up at the first no.
        """
        def wait_until(probe, seconds, clock, sleep):
            try:
                return probe()
            except OSError:
                return False
        """,
        # Never gives up.
        """
        def wait_until(probe, seconds, clock, sleep):
            while True:
                try:
                    if probe():
                        return True
                except OSError:
                    pass
                sleep(0.5)
        """,
    ],
    "07.1": [
        # The first mistake only.
        """
        def mistakes(environ):
            for name in ("PORT", "TIMEOUT"):
                if not environ.get(name, "1").isdecimal():
                    return [name]
            return []
        """,
        # nan is no number above 0, but not below it either.
        """
        def mistakes(environ):
            wrong = []
            if not (environ.get("PORT", "80").isdecimal() and 0 < int(environ.get("PORT", "80")) < 65536):
                wrong.append("PORT")
            try:
                if float(environ.get("TIMEOUT", "1")) <= 0:
                    wrong.append("TIMEOUT")
            except ValueError:
                wrong.append("TIMEOUT")
            if environ.get("MODE", "development") not in ("development", "production"):
                wrong.append("MODE")
            if environ.get("MODE") == "production" and len(environ.get("SECRET", "")) < 32:
                wrong.append("SECRET")
            return wrong
        """,
    ],
    "07.3": [
        "action = lambda alive, ready, since: 'serve' if ready else 'restart'",
        "action = lambda alive, ready, t: 'wait' if t < 60 else 'serve' if ready else 'hold' if alive else 'restart'",
        "action = lambda alive, ready, since: 'serve' if ready else 'hold' if alive else 'restart'",
    ],
    "07.2": [
        # The upper bound of the bucket.
        """
        def quantile(buckets, share):
            rank = share * buckets[-1][1]
            return next(bound for bound, count in buckets if count >= rank)
        """,
        # Counts taken for those of each bucket.
        """
        def quantile(buckets, share):
            total, seen = sum(count for _, count in buckets), 0
            for bound, count in buckets:
                seen += count
                if total and seen >= share * total:
                    return bound
        """,
    ],
    "07.4": [
        # What was done before the mistake stays.
        """
        def upgrade(database, steps):
            for step in steps:
                database.execute(step)
        """,
        # Nothing is said.
        """
        import sqlite3

        def upgrade(database, steps):
            database.execute("BEGIN")
            try:
                for step in steps:
                    database.execute(step)
                database.execute("COMMIT")
            except sqlite3.Error:
                database.execute("ROLLBACK")
        """,
        # Never committed.
        """
        def upgrade(database, steps):
            database.execute("BEGIN")
            for step in steps:
                database.execute(step)
        """,
        # A script commits before it begins.
        """
        def upgrade(database, steps):
            database.execute("BEGIN")
            database.executescript(";".join(steps))
        """,
    ],
    "07.5": [
        "saturation = lambda service_s, slots, think_s: slots * think_s / service_s",
        "saturation = lambda service_s, slots, think_s: (service_s + think_s) / service_s",
        "saturation = lambda service_s, slots, think_s: slots / service_s",
    ],
}


def starter(number: str) -> str:
    """What a student finds in the cell of an exercise, without the check at its end."""
    path = next(item.original for item in lessons() if item.number == number.partition(".")[0])
    cells = nbformat.read(path, as_version=4).cells
    [cell] = [cell for cell in cells if f"exercise-{number}" in cell.metadata.get("tags", [])]
    source, found, _ = cell.source.partition("\n\n\ncheck(")
    assert found, f"the cell of {number} ends in no check"
    return str(source)


def solution(number: str) -> str:
    """The solution that is kept apart."""
    path = ROOT / "notebooks" / "solutions" / f"nb{number.partition('.')[0]}.py"
    head, *parts = re.split(r"^# %% (\S+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return head + dict(zip(parts[::2], parts[1::2], strict=True))[number]


def answer(source: str) -> Any:
    """What a piece of code defines last: the student's answer."""
    source = textwrap.dedent(source)
    names: dict[str, Any] = {}
    exec("import openai\n" + source, names)
    last = ast.parse(source).body[-1]
    return names[last.name if isinstance(last, ast.FunctionDef | ast.AsyncFunctionDef) else last.targets[0].id]  # type: ignore[attr-defined]


def cases(table: dict[str, list[str]]) -> list[Any]:
    """One test case for each answer in a table."""
    return [pytest.param(n, text, id=f"{n}-{i}") for n, texts in table.items() for i, text in enumerate(texts)]


@pytest.mark.parametrize("number", EXERCISES)
def test_solution_passes(number: str) -> None:
    assert exercises.check(number, answer(solution(number))).passed


@pytest.mark.parametrize(("number", "source"), cases(RIGHT))
def test_another_right_answer_passes(number: str, source: str) -> None:
    verdict = exercises.check(number, answer(source))
    assert verdict.passed, verdict


@pytest.mark.parametrize("number", EXERCISES)
def test_starter_does_not_pass(number: str) -> None:
    verdict = exercises.check(number, answer(starter(number)))
    assert not verdict.passed
    assert verdict.missing
    assert len(verdict.missing) > 20


@pytest.mark.parametrize(("number", "source"), cases(WRONG))
def test_wrong_answer_does_not_pass(number: str, source: str) -> None:
    assert not exercises.check(number, answer(source)).passed


@pytest.mark.parametrize("number", EXERCISES)
def test_each_exercise_is_well_made(number: str) -> None:
    assert len(WRONG[number]) >= 2
    assert RIGHT[number]
    assert all(exercises.find(number).hints)


@pytest.mark.parametrize("notebook", NUMBERS)
def test_a_notebook_has_at_least_four(notebook: str) -> None:
    assert len(exercises.exercises(notebook)) >= 4


def test_what_a_student_raises_is_said_and_not_raised() -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    assert "ZeroDivisionError" in str(exercises.check("01.4", broken))


def test_strict_mode_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_STRICT_CHECKS", "1")
    with pytest.raises(exercises.StrictError, match="not yet"):
        exercises.check("01.4", answer(starter("01.4")))


def test_the_result_stands_in_words_and_is_escaped() -> None:
    shown = exercises.Verdict("01.1", "a <title>", "It gave <script>.")._repr_html_()
    assert "not yet" in shown
    assert 'role="status"' in shown
    assert "<script>" not in shown
    assert "passed" in exercises.Verdict("01.1", "a title", None)._repr_html_()


def test_an_unknown_number_names_the_known_ones() -> None:
    with pytest.raises(WorkbookError, match=r"01\.1, 01\.2"):
        exercises.find("01.99")
    with pytest.raises(WorkbookError, match="no exercises"):
        exercises.find("99.1")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student's folder `work/`, as the current one, in a workbook with one lesson."""
    work = tmp_path / "work"
    work.mkdir()
    (work / ORIGINS).write_text("{}")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_client_setup.ipynb").write_text("{}")
    monkeypatch.chdir(work)
    return tmp_path


def test_attempts_and_hints_are_noted(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exercises.check("01.4", answer(starter("01.4")))
    for expected in ("Hint 1 of 2", "Hint 2 of 2", "Hint 2 of 2"):
        exercises.hint("01.4")
        assert expected in capsys.readouterr().out
    exercises.check("01.4", answer(solution("01.4")))
    noted = exercises.attempts(desk / "work")
    assert [(item.exercise, item.passed, item.hint) for item in noted] == [
        ("01.4", False, 0),
        ("01.4", None, 1),
        ("01.4", None, 2),
        ("01.4", None, 2),
        ("01.4", True, 2),
    ]
    first = json.loads((desk / "work" / exercises.PROGRESS).read_text().splitlines()[0])
    assert set(first) == {"notebook", "exercise", "passed", "hint", "time"}


def test_progress_shows_where_a_student_stands(desk: Path) -> None:
    exercises.check("01.4", answer(solution("01.4")))
    exercises.check("01.3", answer(starter("01.3")))
    with (desk / "work" / exercises.PROGRESS).open("a") as file:
        file.write("half a li")
    rows = {row.split()[0]: row.split()[1:3] for row in exercises.progress(desk).splitlines()[1:]}
    assert rows["01.4"] == ["passed", "1"]
    assert rows["01.3"] == ["open", "1"]
    assert rows["01.1"] == ["open", "0"]


@pytest.mark.parametrize("torn", [b'{"notebook": "01", "exer', b"\xc3"])
def test_a_torn_line_takes_no_other_with_it(desk: Path, torn: bytes) -> None:
    """A disk that was full may leave half a line, or half a sign."""
    exercises.check("01.3", answer(starter("01.3")))
    with (desk / "work" / exercises.PROGRESS).open("ab") as file:
        file.write(torn)
    exercises.check("01.4", answer(solution("01.4")))
    exercises.check("01.4", answer(solution("01.4")))
    noted = [(item.exercise, item.passed) for item in exercises.attempts(desk / "work")]
    assert noted == [("01.3", False), ("01.4", True), ("01.4", True)]
    assert len((desk / "work" / exercises.PROGRESS).read_bytes().splitlines()) == 4


def test_what_cannot_be_noted_is_shown_all_the_same(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here a folder is in the way; a full disk and one that is only for reading fail in the same place."""
    (desk / "work" / exercises.PROGRESS).mkdir()
    assert exercises.check("01.4", answer(solution("01.4"))).passed
    assert f"could not be noted in {exercises.PROGRESS}" in capsys.readouterr().out
    exercises.hint("01.4")
    shown = capsys.readouterr().out
    assert f"could not be noted in {exercises.PROGRESS}" in shown
    assert "Hint 1 of 2" in shown


def test_nothing_is_noted_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exercises.check("01.4", answer(solution("01.4")))
    assert list(tmp_path.glob(exercises.PROGRESS)) == []
