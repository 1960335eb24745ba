-- The store's time.
return text(clock(''))
