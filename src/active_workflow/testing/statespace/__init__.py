"""Small clusters explored to the last state: two workers, one execution, and everything that may befall them.

The workers are the real schedulers and drivers on the real memory store. From each state every action that
is possible there is taken: a worker's next store call, whole or with a fault; a call that begins or ends; a
crash; a lease that runs out; a cancel, a completion, a signal; an operator's word. States that differ in
nothing that matters later are one state, so the search comes to an end, and what holds in every state that it
has seen holds in all there are. Read ``configurations`` for what is explored, ``small`` for the actions,
``canonical`` for when two states are one, ``search`` for the search.
"""
