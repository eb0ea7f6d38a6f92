#!/usr/bin/env python3
"""Writes items.tsv and users.tsv from the files that data sets of recommendation come in (formats/behaviours.md).

    ratings.py movielens ratings.dat movies.dat -o data/
    ratings.py hm transactions_train.csv articles.csv --repeats all -o data/

Files may be compressed by gzip. Needs nothing but Python 3.8 or later; all events are held in memory.
"""
import argparse
import csv
import gzip
import io
import json
import os
import sys
from collections import Counter

csv.field_size_limit(1 << 30)


class Bad(Exception):
    pass


def lines(path, encoding="utf-8"):
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with (gzip.open if packed else open)(path, "rb") as file:
        yield from io.TextIOWrapper(file, encoding=encoding, newline="")


def rows(path, delimiter=",", encoding="utf-8", quoting=csv.QUOTE_MINIMAL):
    """Lists of columns with the numbers of their lines, without empty ones; a byte order mark is passed over."""
    reader = csv.reader(lines(path, encoding), delimiter=delimiter, quoting=quoting)
    for row in reader:
        if reader.line_num == 1 and row and row[0].startswith("\ufeff"):
            row[0] = row[0][1:]
        if row:
            yield reader.line_num, row


def table(path, wanted, optional=(), **options):
    """The columns of a file with a head line, by their names (before a colon: RecBole has types behind it). Of each
    column several names are allowed. Gives the head line, then for each line the columns, None for a missing one."""
    source = rows(path, **options)
    head = [name.split(":")[0].strip().lower() for name in next(source, (0, []))[1]]
    places = []
    for number, names in enumerate(list(wanted) + list(optional)):
        found = [head.index(name) for name in names if name in head]
        if not found and number < len(wanted):
            raise Bad(f"{path}:1: no column {' or '.join(names)}")
        places.append(found[0] if found else None)
    yield head
    for line, row in source:
        if len(row) != len(head):
            raise Bad(f"{path}:{line}: {len(row)} columns, but the head line has {len(head)}")
        yield [row, *(None if place is None else row[place] for place in places)]


def objects(path):
    for number, line in enumerate(lines(path), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise Bad(f"{path}:{number}: {error}")


def time_of(text, path):
    """A number, or a date that sorts as its text does."""
    try:
        return float(text)
    except ValueError:
        if len(text) >= 8 and text[:4].isdigit():
            return text
    raise Bad(f"{path}: '{text}' is no time: a number, or YYYY-MM-DD…")


# Each format: events(path) gives (user, item, time, rating or None), texts(path) gives (item, text).

def double_colons(path, count):
    for number, line in enumerate(lines(path, "latin-1"), 1):
        parts = line.rstrip("\r\n").split("::")
        if len(parts) != count:
            raise Bad(f"{path}:{number}: {len(parts)} columns between '::' where {count} are needed")
        yield parts


def is_dat(path):
    return "::" in next(lines(path, "latin-1"), "")


def movielens_events(path):
    if is_dat(path):
        source = double_colons(path, 4)
    else:
        source = table(path, [["userid"], ["movieid"], ["rating"], ["timestamp"]])
        next(source)
        source = (row[1:] for row in source)
    for user, item, rating, time in source:
        yield user, item, time_of(time, path), float(rating)


def movielens_texts(path):
    if is_dat(path):
        source = double_colons(path, 3)
    else:
        source = table(path, [["movieid"], ["title"], ["genres"]])
        next(source)
        source = (row[1:] for row in source)
    for item, title, genres in source:
        yield item, f"{title}. {', '.join(genres.split('|'))}."


RECBOLE = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}


def recbole_events(path):
    source = table(path, [["user_id"], ["item_id"]], [["timestamp"], ["rating"]], **RECBOLE)
    next(source)
    for _, user, item, time, rating in source:
        yield user, item, 0.0 if time is None else time_of(time, path), None if rating is None else float(rating)


def recbole_texts(path):
    source = table(path, [["item_id"]], **RECBOLE)
    place = next(source).index("item_id")
    for row, item in source:
        yield item, ". ".join(text for i, text in enumerate(row) if i != place and text)


def amazon_events(path):
    for number, review in objects(path):
        user = review.get("user_id", review.get("reviewerID"))
        item = review.get("parent_asin", review.get("asin"))
        time = review.get("timestamp", review.get("unixReviewTime"))
        if user is None or item is None or time is None:
            raise Bad(f"{path}:{number}: a review without a user, an item or a time")
        rating = review.get("rating", review.get("overall"))
        yield user, item, float(time), None if rating is None else float(rating)


def amazon_texts(path):
    for number, item in objects(path):
        name = item.get("parent_asin", item.get("asin"))
        if name is None:
            raise Bad(f"{path}:{number}: an item without parent_asin or asin")
        yield name, item.get("title") or ""


def hm_events(path):
    source = table(path, [["customer_id"], ["article_id"], ["t_dat"]])
    next(source)
    for _, user, item, time in source:
        yield user, item, time_of(time, path), None


def hm_texts(path):
    source = table(path, [["article_id"], ["prod_name"]], [["product_type_name"], ["colour_group_name"], ["detail_desc"]])
    next(source)
    for _, item, *parts in source:
        yield item, ". ".join(part.rstrip(". ") for part in parts if part) + "."


def ninerec_events(path):
    source = table(path, [["user", "user_id"], ["item", "item_id"]], [["timestamp", "time"]])
    next(source)
    for _, user, item, time in source:
        yield user, item, 0.0 if time is None else time_of(time, path), None


def ninerec_texts(path):
    for number, (line, row) in enumerate(rows(path)):
        if number == 0 and row[0].strip().lower() in ("item", "item_id"):
            continue
        yield row[0], ". ".join(part for part in row[1:] if part)


def mind_time(text, path):
    """11/15/2019 9:05:58 AM, in an order that sorts."""
    try:
        date, clock, half = text.split()
        month, day, year = map(int, date.split("/"))
        hour, minute, second = map(int, clock.split(":"))
    except ValueError:
        raise Bad(f"{path}: '{text}' is no time: M/D/YYYY h:mm:ss AM")
    return year, month, day, hour % 12 + 12 * (half.upper() == "PM"), minute, second


def mind_events(path):
    """The clicks of a user's impressions, behind the history of the user's first line, which has no times."""
    known = set()
    for line, row in rows(path, delimiter="\t", quoting=csv.QUOTE_NONE):
        if len(row) != 5:
            raise Bad(f"{path}:{line}: {len(row)} columns; impression, user, time, history and impressions are needed")
        _, user, time, history, impressions = row
        if user not in known:
            known.add(user)
            for item in history.split():
                yield user, item, (0,), None
        for impression in impressions.split():
            item, _, clicked = impression.rpartition("-")
            if clicked == "1":
                yield user, item, mind_time(time, path), None


def mind_texts(path):
    for line, row in rows(path, delimiter="\t", quoting=csv.QUOTE_NONE):
        if len(row) < 5:
            raise Bad(f"{path}:{line}: {len(row)} columns; news, category, subcategory, title and abstract are needed")
        yield row[0], ". ".join(part.rstrip(".") for part in (row[3], row[4]) if part)


FORMATS = {name: (globals()[name + "_events"], globals()[name + "_texts"])
           for name in ("movielens", "recbole", "amazon", "hm", "ninerec", "mind")}


def in_time(events, least):
    """{user: [item, …]}, oldest first; events of one time stay in the order of the file. Users in theirs."""
    users = {}
    for user, item, time, rating in events:
        if least is not None and rating is None:
            raise Bad("--min-rating: this file has no ratings")
        if least is None or rating >= least:
            users.setdefault(user, []).append((time, item))
    for user, met in users.items():
        if len({type(time) for time, _ in met}) > 1:
            raise Bad(f"user '{user}': some times are numbers, others dates")
        met.sort(key=lambda event: event[0])
        users[user] = [item for _, item in met]
    return users


def without_repeats(items, which):
    if which == "all":
        return items
    once = dict.fromkeys(items if which == "first" else reversed(items))
    return list(once) if which == "first" else list(once)[::-1]


def with_counts(users, least_user, least_item):
    """Leaves out items and users with fewer events, again and again, until none is left that has fewer."""
    while True:
        count = Counter(item for items in users.values() for item in items)
        kept = {user: [item for item in items if count[item] >= least_item] for user, items in users.items()}
        kept = {user: items for user, items in kept.items() if len(items) >= least_user}
        if sum(map(len, kept.values())) == sum(map(len, users.values())):
            return kept
        users = kept


def check_name(name, what, separators):
    if not name or any(separator in name for separator in separators):
        raise Bad(f"{what} '{name}': a name is not empty and holds no TAB, line end{' or space' if ' ' in separators else ''}")


def write(path, content):
    with open(path + ".part", "w", encoding="utf-8", newline="\n") as file:
        for name, text in content:
            file.write(f"{name}\t{text}\n")
    os.replace(path + ".part", path)


def run(arguments):
    events, texts = FORMATS[arguments.format]
    users = in_time(events(arguments.events), arguments.min_rating)
    users = {user: without_repeats(items, arguments.repeats) for user, items in users.items()}
    users = with_counts(users, arguments.min_user, arguments.min_item)
    if not users:
        raise Bad(f"{arguments.events}: no user is left; see --min-user and --min-item")
    met = dict.fromkeys(item for items in users.values() for item in items)
    said = dict(texts(arguments.items)) if arguments.items else {}
    order = [item for item in said if item in met or arguments.all_items] + [item for item in met if item not in said]
    for item in order:
        check_name(item, "item", "\t\n\r ")
    for user in users:
        check_name(user, "user", "\t\n\r")
    os.makedirs(arguments.output, exist_ok=True)
    write(os.path.join(arguments.output, "items.tsv"), ((item, " ".join(said.get(item, "").split())) for item in order))
    write(os.path.join(arguments.output, "users.tsv"), ((user, " ".join(items)) for user, items in users.items()))
    print(f"{len(order)} items ({sum(item not in said for item in order)} without a text), {len(users)} users, "
          f"{sum(map(len, users.values()))} events", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("format", choices=sorted(FORMATS))
    parser.add_argument("events", help="who met what, and when")
    parser.add_argument("items", nargs="?", help="what is said of the items")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="items.tsv and users.tsv go here")
    parser.add_argument("--min-user", type=int, default=5, metavar="N", help="events of a user, at least [5]")
    parser.add_argument("--min-item", type=int, default=5, metavar="N", help="events of an item, at least [5]")
    parser.add_argument("--min-rating", type=float, metavar="R", help="lower ratings are no events")
    parser.add_argument("--repeats", choices=("first", "last", "all"), default="first",
                        help="of the events of a user with one item: the first [first], the last, all")
    parser.add_argument("--all-items", action="store_true", help="keep items that nobody met")
    try:
        run(parser.parse_args())
    except (Bad, OSError, UnicodeDecodeError) as error:
        sys.exit(f"ratings.py: {error}")


if __name__ == "__main__":
    main()
