"""What generators draw from: a few keys that all families share, values, numbers, wrong words."""

import random


class Draw:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, part):
        return self.random.random() < part

    def choice(self, values):
        return self.random.choice(values)

    def key(self):
        return "k%d" % min(self.random.randrange(24), self.random.randrange(24))

    def keys(self, at_most=4):
        return [self.key() for _ in range(self.random.randint(1, at_most))]

    def member(self):
        """A field, member or element: few different ones, some of them numbers."""
        if self.chance(0.3):
            return str(self.random.randint(-20, 20))
        if self.chance(0.03):
            return "a member of more than sixty-four bytes, which no small encoding takes in " + \
                self.choice("abc")
        return "m%d" % self.random.randrange(30)

    def members(self, at_most=5):
        return [self.member() for _ in range(self.random.randint(1, at_most))]

    def value(self):
        kind = self.random.randrange(12)
        if kind < 4:
            return str(self.random.randint(-100, 100))
        if kind == 4:
            return self.choice(["", " ", "0", "-0", "007", "1.5", "1e3", "abc", "9223372036854775807",
                                "-9223372036854775808", "9223372036854775808", "3.0e2", "nan", "inf",
                                "\xff\x00\r\n", "10", "+1"])
        if kind == 5:
            return bytes(self.random.randrange(256) for _ in range(self.random.randrange(12)))
        if kind == 6:
            return "x" * self.choice([43, 44, 45, 63, 64, 65, 200, 1000, 17000])
        return "v%d" % self.random.randrange(1000)

    def number(self):
        """An integer, or what is nearly one."""
        if self.chance(0.04):
            return self.choice(["abc", "", "1.5", " 1", "1 ", "+1", "01", "9223372036854775807",
                                "-9223372036854775808", "9223372036854775808", "-0"])
        return self.random.randint(-30, 30)

    def count(self):
        return self.number() if self.chance(0.1) else self.random.randint(0, 12)

    def score(self):
        if self.chance(0.05):
            return self.choice(["inf", "-inf", "+inf", "nan", "abc", "1e400", "", "3.14159", "0x10"])
        if self.chance(0.3):
            return "%g" % (self.random.randint(-400, 400) / 8)
        return self.random.randint(-20, 20)

    def seconds(self):
        """A time to live that does not end while the test runs."""
        if self.chance(0.06):
            return self.choice(["0", "-1", "abc", "9223372036854775807", "9223372036854775", "",
                                "-9223372036854775808"])
        return self.random.randint(1000, 100000)

    def options(self, *words):
        """Some of the words, in any case, now and then one that is none."""
        chosen = [word for word in words if self.chance(0.25)]
        if self.chance(0.02):
            chosen.append(self.choice(["NOPE", "", "EX"]))
        self.random.shuffle(chosen)
        return [word.lower() if self.chance(0.3) else word for word in chosen]
