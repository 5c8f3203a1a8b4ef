"""Every screen, as it looks and as it is walked through."""


def test_debug(look):
    for words, keys in [("executions", ()), ("1aaa", ()), ("4bb", ()), ("jobs/8bb", ()), ("upstreams/" , ()) ,("tasks",()),("lab.clean",()),("lab.clean",("enter",)),("files",()),("out/",("enter",)),("search --job",()),("executions/namespace",())]:
        if words=="upstreams/": continue
        print(words); print("\n".join(look(words,*keys))); print('='*80)
