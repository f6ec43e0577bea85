"""What a fake node can do in a script. `all` as the subject means every node."""
import functools
import re

from .machine import slowness
from . import payload, resp
from .client_verbs import DEFAULT_WAIT_S, QUIET_S
from .verbs import verb
from .world import Failed

NODE_VERBS = {}


def _nodes(line):
    if line.subject == "all":
        return list(line.world.nodes.values())
    return [line.world.nodes[line.subject]]


def _node(line):
    (node,) = _nodes(line)
    return node


def for_each_node(function):
    """The verb is done by every node that the subject names."""
    @functools.wraps(function)
    def each(line):
        for node in _nodes(line):
            function(line, node)
    return each


# -- commands arrive --

@verb(NODE_VERBS, "gets")
def gets(line):
    """The next data command that arrived is exactly this one."""
    node, link_name = _node(line), _link_name(line)
    wanted = payload.words(line.text)
    wait_s = DEFAULT_WAIT_S * line.world.patience
    if not line.world.backstage.wait_until(lambda: node.inbox, wait_s):
        raise Failed("%s got no command" % node.name)
    received = node.inbox[0]
    if received.words != wanted:
        raise Failed("%s got %s" % (node.name, _show(received.words)))
    _accept(line, node, received, link_name)


@verb(NODE_VERBS, "gets among others")
def gets_among_others(line):
    """This command arrived, or will; others may have come before it."""
    node, link_name = _node(line), _link_name(line)
    wanted = payload.words(line.text)

    def find():
        return next((r for r in node.inbox if r.words == wanted), None)

    if not line.world.backstage.wait_until(find, DEFAULT_WAIT_S * line.world.patience):
        raise Failed("%s got only %s" % (node.name, [_show(r.words) for r in node.inbox]))
    _accept(line, node, find(), link_name)


@verb(NODE_VERBS, "gets command matching")
def gets_command_matching(line):
    """The next data command that arrived, its words joined by spaces, is like this."""
    node = _node(line)
    wait_s = DEFAULT_WAIT_S * line.world.patience
    if not line.world.backstage.wait_until(lambda: node.inbox, wait_s):
        raise Failed("%s got no command" % node.name)
    received = node.inbox[0]
    text = b" ".join(received.words).decode("latin-1")
    if re.search(line.text, text) is None:
        raise Failed("%s got %s" % (node.name, text))
    _accept(line, node, received, None)


def _accept(line, node, received, link_name):
    with line.world.backstage.changed:
        node.inbox.remove(received)
        received.is_got = True
    if link_name is not None:
        if node.names.setdefault(link_name, received.link) is not received.link:
            raise Failed("it came on %s, not on %s" % (
                received.link.channel.label, node.names[link_name].channel.label))


@verb(NODE_VERBS, "gets nothing")
@for_each_node
def gets_nothing(line, node):
    wait_s = line.take_seconds("for", QUIET_S)
    if line.world.backstage.wait_until(lambda: node.inbox, wait_s):
        raise Failed("%s got %s" % (node.name, _show(node.inbox[0].words)))


def _show(words):
    return " ".join(resp.show(word, 80) for word in words[:12])


# -- replies leave --

@verb(NODE_VERBS, "answers")
def answers(line):
    """The oldest command that was got and not answered yet gets this reply."""
    _answer(line, lambda reply: [reply])


@verb(NODE_VERBS, "answers byte by byte")
def answers_byte_by_byte(line):
    _answer(line, lambda reply: [reply[i:i + 1] for i in range(len(reply))])


@verb(NODE_VERBS, "answers cut after")
def answers_cut_after(line):
    """`answers cut after N bytes REPLY`: two writes, a round trip of the proxy between them."""
    count, _, line.text = line.text.partition(" bytes ")
    node, link_name = _node(line), _link_name(line)
    received = _oldest_got(line, node, link_name)
    reply = payload.reply(line.text)
    at = int(count) % len(reply)
    received.link.channel.send(reply[:at])
    line.world.proxy.ping()
    with line.world.backstage.changed:
        received.reply = [reply[at:]]
        received.link.flush()


def _answer(line, cut):
    node, link_name = _node(line), _link_name(line)
    received = _oldest_got(line, node, link_name)
    reply = payload.reply(line.text)
    line.world.trace.add(node.name, "answers %s on link%d" % (
        _show(received.words[:2]), received.link.number), reply)
    with line.world.backstage.changed:
        received.reply = cut(reply)
        received.link.flush()


def _oldest_got(line, node, link_name):
    with line.world.backstage.changed:
        links = node.links if link_name is None else [node.names[link_name]]
        waiting = [r for link in links for r in link.unanswered if r.is_got and r.reply is None]
        if not waiting:
            raise Failed("%s has nothing to answer" % node.name)
        # What waits on a link that the proxy has left is answered only when nothing else waits.
        return min(waiting, key=lambda r: (not r.link.is_open, r.order))


@verb(NODE_VERBS, "sends")
def sends(line):
    """Bytes out of the blue: on the named link, or on every open one that has carried data."""
    node, link_name = _node(line), _link_name(line)
    data = payload.reply(line.text)
    for link in _open_links(node, link_name):
        if not link.has_carried_data:
            continue
        line.world.trace.add(node.name, "sends on link%d" % link.number, data)
        link.channel.send(data)
        # In the proxy's socket before the next line acts, unless the proxy does not read.
        line.world.backstage.wait_until(lambda: not link.channel.out, QUIET_S * 4)


@verb(NODE_VERBS, "always answers")
@for_each_node
def always_answers(line, node):
    """`always answers PREFIX with REPLY`; `with its key` echoes the first argument."""
    _add_rule(line, node, is_for_once=False)


@verb(NODE_VERBS, "once answers")
@for_each_node
def once_answers(line, node):
    """The next command that begins with PREFIX, and only that one."""
    _add_rule(line, node, is_for_once=True)


def _add_rule(line, node, is_for_once):
    prefix, _, reply_text = line.text.partition(" with ")
    fixed = None if reply_text == "its key" else payload.reply(reply_text)

    def make_reply(words, _link):
        if is_for_once:
            node.rules.remove(rule)
        return resp.bulk(words[1]) if fixed is None else fixed

    rule = (prefix.split(), make_reply)
    with line.world.backstage.changed:
        node.rules.insert(0, rule)


@verb(NODE_VERBS, "answers as usual")
@for_each_node
def answers_as_usual(line, node):
    with line.world.backstage.changed:
        node.rules.clear()


# -- life and death --

@verb(NODE_VERBS, "resets")
@for_each_node
def resets(line, node):
    for link in _open_links(node, _link_name(line)):
        link.channel.close(with_reset=True)
    line.world.trace.add(node.name, "resets", b"")


@verb(NODE_VERBS, "closes")
@for_each_node
def closes(line, node):
    """After what is still to be written has left."""
    for link in _open_links(node, _link_name(line)):
        line.world.backstage.wait_until(lambda: not link.channel.out, DEFAULT_WAIT_S)
        link.channel.close()
    line.world.trace.add(node.name, "closes", b"")


@verb(NODE_VERBS, "sees the end of")
def sees_the_end_of(line):
    """The proxy has closed this link, or does so promptly."""
    node = _node(line)
    link = node.names[line.text.strip()]
    if not line.world.backstage.wait_until(lambda: not link.is_open,
                                            0.5 * line.world.patience * slowness()):
        raise Failed("%s is still open" % link.channel.label)


@verb(NODE_VERBS, "goes down")
@for_each_node
def goes_down(line, node):
    line.world.trace.add(node.name, "goes down", b"")
    node.go_down()


@verb(NODE_VERBS, "comes back")
@for_each_node
def comes_back(line, node):
    line.world.trace.add(node.name, "comes back", b"")
    node.come_back()


@verb(NODE_VERBS, "falls silent")
@for_each_node
def falls_silent(line, node):
    """Accepts and reads, but answers nothing at all."""
    line.world.trace.add(node.name, "falls silent", b"")
    node.is_silent = True


@verb(NODE_VERBS, "speaks again")
@for_each_node
def speaks_again(line, node):
    line.world.trace.add(node.name, "speaks again", b"")
    node.speak_again()


@verb(NODE_VERBS, "stops reading")
@for_each_node
def stops_reading(line, node):
    for link in _open_links(node, None):
        link.channel.pause(True)


@verb(NODE_VERBS, "reads again")
@for_each_node
def reads_again(line, node):
    for link in _open_links(node, None):
        link.channel.pause(False)


# -- looking back --

@verb(NODE_VERBS, "has seen")
@for_each_node
def has_seen(line, node):
    """`has seen at least|exactly|at most N COMMAND`; at least waits, the others look now."""
    how, count, name = line.take_option(r"(at least|exactly|at most) (\d+) (.+)")
    count, name = int(count), name.upper()
    if how == "at least":
        line.world.backstage.wait_until(lambda: node.counts[name] >= count,
                                        DEFAULT_WAIT_S * line.world.patience)
    seen = node.counts[name]
    is_true = {"at least": seen >= count, "exactly": seen == count, "at most": seen <= count}
    if not is_true[how]:
        raise Failed("%s has seen %d %s" % (node.name, seen, name))


@verb(NODE_VERBS, "has at most")
@for_each_node
def has_at_most(line, node):
    """`has at most N links`: open now, control connections included."""
    count, = line.take_option(r"(\d+) links")
    if len(_open_links(node, None)) > int(count):
        raise Failed("%s has %d links" % (node.name, len(_open_links(node, None))))


@verb(NODE_VERBS, "has links that begin with")
@for_each_node
def has_links_that_begin_with(line, node):
    """Every link to this node began with exactly this command."""
    wanted = payload.words(line.text)
    for link in node.links:
        if link.first_words is not None and link.first_words != wanted:
            raise Failed("%s began with %s" % (link.channel.label, _show(link.first_words)))


@verb(NODE_VERBS, "got ASKING right before each command on")
@for_each_node
def got_asking_right_before_each_command_on(line, node):
    """... KEY_PREFIX, on every link, and nowhere else (O4). Or names of commands, such as MULTI."""
    prefixes = tuple(line.text.encode().split())
    for link in node.links:
        previous = [b""]
        for words in link.history:
            is_redirected = words[0] in prefixes or \
                (len(words) > 1 and words[1].startswith(prefixes))
            if is_redirected != (previous[0].upper() == b"ASKING"):
                raise Failed("%s: %s came after %s" % (
                    link.channel.label, _show(words), _show(previous)))
            previous = words


@verb(NODE_VERBS, "got each transaction in one run")
@for_each_node
def got_each_transaction_in_one_run(line, node):
    """Between MULTI and EXEC all commands on that link have the same key (O4)."""
    for link in node.links:
        run = None
        for words in link.history:
            name = words[0].upper()
            if (name == b"MULTI") != (run is None) and name in (b"MULTI", b"EXEC"):
                raise Failed("%s: %s inside %s" % (link.channel.label, name, run))
            if name == b"MULTI":
                run = []
            elif name == b"EXEC":
                if len(set(run)) > 1:
                    raise Failed("%s: one run had %s" % (link.channel.label, run))
                run = None
            elif run is not None:
                run.append(words[1])


def _link_name(line):
    found = line.take_option(r"on (\w+)")
    return found[0] if found else None


def _open_links(node, link_name):
    if link_name is not None:
        return [node.names[link_name]]
    return [link for link in node.links if link.is_open]
