using KeycloakCreditBridge.Hints;

namespace KeycloakCreditBridge.Intake.Deliveries.Recording;

/// <summary>What is known so far of a request that is being answered.</summary>
/// <param name="at">When it came.</param>
/// <param name="started">The same as a timestamp, for its duration.</param>
internal sealed class Arrival(DateTimeOffset at, long started)
{
    public DateTimeOffset At => at;

    public long Started => started;

    public string Realm { get; set; } = "";

    /// <summary>Whether the sender is proven by a credential. An unsigned delivery that is allowed proves nothing.</summary>
    public bool IsProven { get; set; }

    public string? Format { get; set; }

    public string? Event { get; set; }

    public UserHint? Hint { get; set; }

    public string? Body { get; set; }
}
