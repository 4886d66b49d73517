using System.Security.Cryptography;

namespace KeycloakCreditBridge.Intake.Polling;

/// <summary>How long to pause between polls: short while events come, longer when none do, and longer still when polls fail.</summary>
internal sealed class PollPace(PollOptions options)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    private int _failures;

    public TimeSpan Pause { get; private set; } = options.BusyInterval;

    /// <summary>A poll succeeded and brought so many hints.</summary>
    public void Succeeded(int hints)
    {
        Pause = hints > 0 ? options.BusyInterval : Shorter(Pause * 2, options.IdleInterval);
        _failures = 0;
    }

    /// <summary>A poll failed; Keycloak may have said for how long it wants to be left alone.</summary>
    public void Failed(TimeSpan? leaveAloneFor)
    {
        _failures++;
        // A random part, so that replicas and realms do not come back all at once.
        var backOff = options.IdleInterval * Math.Pow(2, Math.Min(_failures, 10)) * (RandomNumberGenerator.GetInt32(50, 101) / 100.0);
        Pause = Shorter(leaveAloneFor > backOff ? leaveAloneFor.Value : backOff, LongestPause);
    }

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
