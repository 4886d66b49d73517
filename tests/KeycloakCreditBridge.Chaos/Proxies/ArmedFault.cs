using KeycloakCreditBridge.Chaos.Plans;

namespace KeycloakCreditBridge.Chaos.Proxies;

/// <summary>A fault that waits for requests to meet it.</summary>
internal sealed class ArmedFault(FaultKind kind, int count, TimeSpan length, string about = "")
{
    private readonly Lock _gate = new();
    private int _left = count;

    public FaultKind Kind => kind;

    public TimeSpan Length => length;

    /// <summary>What a request has to be about; empty for any.</summary>
    public string About => about;

    /// <summary>When requests met it.</summary>
    public List<DateTimeOffset> Hits { get; } = [];

    /// <summary>The last request that met it.</summary>
    public string Met { get; private set; } = "";

    public bool IsUsedUp
    {
        get
        {
            lock (_gate)
                return _left == 0;
        }
    }

    public bool TryTake(string text)
    {
        lock (_gate)
        {
            if (_left == 0)
                return false;
            _left--;
            Hits.Add(DateTimeOffset.UtcNow);
            Met = text;
            return true;
        }
    }

    public void Disarm()
    {
        lock (_gate)
            _left = 0;
    }
}

/// <summary>Faults that wait at one place, the oldest first.</summary>
internal sealed class ArmedFaults
{
    private readonly Lock _gate = new();
    private readonly List<ArmedFault> _armed = [];

    public void Arm(ArmedFault fault)
    {
        lock (_gate)
            _armed.Add(fault);
    }

    /// <summary>The fault that a request with this text meets, or null.</summary>
    public ArmedFault? Take(string text)
    {
        lock (_gate)
        {
            _armed.RemoveAll(fault => fault.IsUsedUp);
            return _armed.Find(fault => text.Contains(fault.About, StringComparison.Ordinal) && fault.TryTake(text));
        }
    }
}
