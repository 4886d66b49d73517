namespace KeycloakCreditBridge.Sandbox.Emulator.Events;

/// <summary>The stored events of one kind, in the order of their times; events may be committed after later ones.</summary>
internal sealed class EventLog<TEvent>(Func<TEvent, long> timeOf)
{
    private readonly List<TEvent> _events = [];

    public void Add(TEvent added)
    {
        var time = timeOf(added);
        _events.Insert(_events.Count == 0 || timeOf(_events[^1]) <= time ? _events.Count : FirstAfter(time), added);
    }

    public void Clear() => _events.Clear();

    /// <summary>One page of the events in a closed range of times.</summary>
    public IReadOnlyList<TEvent> Find(long? from, long? to, bool ascending, Func<TEvent, bool> matches, int first, int max)
    {
        var start = from is { } earliest ? FirstAfter(earliest - 1) : 0;
        var end = to is { } latest ? FirstAfter(latest) : _events.Count;
        var range = Enumerable.Range(0, Math.Max(0, end - start));
        var ordered = range.Select(offset => _events[ascending ? start + offset : end - 1 - offset]).Where(matches).Skip(first);
        return [.. max < 0 ? ordered : ordered.Take(max)];
    }

    private int FirstAfter(long time)
    {
        var (low, high) = (0, _events.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (timeOf(_events[middle]) <= time)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
