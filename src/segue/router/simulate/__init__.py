"""The router in virtual time: what would a workload see on a fleet that is only described?

In: hosts with their figures, sessions of requests, a route, faults. Out: first-token times, whole answers, hit rate,
cost, failures. Requests are placed by the very code of the router (`segue.router.placing`); the hosts are models of
servers, whose figures are assumptions as long as nobody measured them. Nothing here waits or sends.

    figures     what a host can do, and where that is known from
    learned     figures out of recorded generations
    clock       virtual time
    memory      the KV cache of a server, prefixes and all
    server      a server that batches, as vLLM does
    hosted      an API that somebody else runs
    workload    sessions and their turns
    synthetic   agent sessions, drawn from a seed
    recorded    sessions out of a file
    traced      sessions out of traces
    faults      what befalls hosts, by scenario
    fleet       which hosts there are, and who may take a request
    request     one request, and what became of it
    run         the router of a run, with its hosts
    sessions    one run: sessions, turn after turn
    report      figures of runs
    compare     alternatives side by side
"""
