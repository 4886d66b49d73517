using System.Diagnostics;

namespace KeycloakCreditBridge.Reconciliation;

/// <summary>
/// Places at which a process ends as by a power failure, to prove that nothing is lost there. Named by the environment variable
/// CREDIT_BRIDGE_KILL_AT: `reviewed`, or `reviewed:3` for the third time; without it a place costs a comparison.
/// </summary>
internal static class KillPoint
{
    /// <summary>A part of a realm was read, and nothing was done about it.</summary>
    public const string Read = "read";

    /// <summary>Its users are converged; the run does not know yet.</summary>
    public const string Reviewed = "reviewed";

    /// <summary>The run knows how far it is.</summary>
    public const string Saved = "saved";

    /// <summary>Everything was read; no account was closed.</summary>
    public const string Scanned = "scanned";

    /// <summary>A batch of accounts is closed; the run does not know yet.</summary>
    public const string Closed = "closed";

    private static readonly string[] Told = Environment.GetEnvironmentVariable("CREDIT_BRIDGE_KILL_AT")?.Split(':') ?? [];

    private static int _left = Told is [_, var times] && int.TryParse(times, out var number) ? number : 1;

    public static void Reach(string name)
    {
        if (Told.Length > 0 && name == Told[0] && Interlocked.Decrement(ref _left) == 0)
            Process.GetCurrentProcess().Kill();
    }
}
