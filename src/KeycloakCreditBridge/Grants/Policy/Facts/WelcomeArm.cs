namespace KeycloakCreditBridge.Grants.Policy.Facts;

/// <summary>What an experiment says of a user's welcome.</summary>
/// <param name="Version">Of the experiment.</param>
/// <param name="Arm">The user's arm; null where the user is in none and gets what all others get.</param>
/// <param name="Bucket">Where the hash put the user, 0 to 9999.</param>
/// <param name="Credits">All welcome credits.</param>
/// <param name="ExpiresAfter">Null for the welcome's own.</param>
internal sealed record WelcomeArm(string Experiment, int Version, string? Arm, int Bucket, decimal Credits, TimeSpan? ExpiresAfter)
{
    /// <summary>Whether the user was assigned to the arm now.</summary>
    public bool IsNew { get; init; }

    /// <summary>What stands for the arm on its grants, in the place of a rule; null without an arm.</summary>
    public string? Rule => Arm is null ? null : $"experiment:{Experiment}:{Arm}";
}
