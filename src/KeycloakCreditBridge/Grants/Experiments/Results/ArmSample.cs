namespace KeycloakCreditBridge.Grants.Experiments.Results;

/// <summary>What was measured in an arm.</summary>
/// <param name="Users">How many were measured.</param>
/// <param name="Mean">Of the metric.</param>
/// <param name="Variance">Of the metric between users.</param>
internal sealed record ArmSample(long Users, double Mean, double Variance)
{
    /// <summary>Of users that did something or did not.</summary>
    public static ArmSample OfShare(long users, long did)
    {
        var share = users == 0 ? 0d : (double)did / users;
        return new ArmSample(users, share, share * (1d - share));
    }

    /// <summary>Of amounts, by their sum and the sum of their squares.</summary>
    public static ArmSample OfAmounts(long users, double sum, double squares) =>
        users < 2 ? new(users, sum, 0d) : new(users, sum / users, (squares - (sum * sum / users)) / (users - 1));
}
