namespace KeycloakCreditBridge.Doctor.Findings;

/// <summary>How bad a finding is.</summary>
internal enum Verdict
{
    Ok,

    /// <summary>The bridge works, later or with less safety than it could.</summary>
    Warn,

    /// <summary>Users are missed, or nothing works.</summary>
    Fail,
}

/// <summary>What one check found.</summary>
/// <param name="Message">The state that was found.</param>
/// <param name="Cure">What to do about it; null where nothing is to be done, or where <paramref name="Message"/> names it.</param>
/// <param name="Unreachable">The server did not answer at all.</param>
internal sealed record Finding(Verdict Verdict, string Message, string? Cure = null, bool Unreachable = false)
{
    /// <summary>Whether all checks after it would only say the same in other words.</summary>
    public bool Ends { get; init; }

    /// <summary>Whether the webhook plugin refused to answer.</summary>
    public bool IsOfPlugin { get; init; }

    public static Finding Ok(string says) => new(Verdict.Ok, says);

    public static Finding Warn(string says, string? cure = null) => new(Verdict.Warn, says, cure);

    public static Finding Fail(string says, string? cure = null) => new(Verdict.Fail, says, cure);
}

/// <summary>One thing that can be wrong.</summary>
/// <param name="Name">Such as `database` or `events`.</param>
/// <param name="Realm">Null where it concerns no single realm.</param>
/// <param name="Run">Makes the check; an exception is a failure of this check only.</param>
/// <param name="IsGate">When it fails the checks after it are skipped: they would wait as long and fail the same way.</param>
internal sealed record DoctorCheck(string Name, string? Realm, Func<CancellationToken, Task<Finding>> Run, bool IsGate = false);

/// <summary>The result of one check.</summary>
internal sealed record CheckResult(string Check, string? Realm, Finding Finding, bool IsGate = false);
