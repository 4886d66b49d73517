namespace KeycloakCreditBridge.Grants.Referrals;

/// <summary>
/// Says what follows for a referral. Pure: everything is checked anew at each step, so that nothing is paid for what no longer holds.
/// </summary>
internal static class ReferralPlan
{
    // So few referees say nothing about a referrer.
    private const int FewestReferees = 3;
    private const decimal MostDeleted = 0.3m;

    private static readonly TimeSpan Soon = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Later = TimeSpan.FromHours(1);

    /// <summary>The next step.</summary>
    /// <param name="facts">What the database says.</param>
    /// <param name="users">What Keycloak says; null where it was not asked.</param>
    /// <param name="terms">Those of the realm.</param>
    /// <param name="now">When the facts were read.</param>
    public static ReferralStep Of(ReferralFacts facts, ReferralUsers? users, ReferralTerms terms, DateTimeOffset now)
    {
        var state = ReferralMoves.Parse(facts.State);
        if (ReferralMoves.IsOver(state) || (state == ReferralState.Capped && facts.IsPaid))
            return ReferralStep.Wait(null);
        if (facts.RefereeStatus == "closed" || facts.RefereeUser is null)
            return ReferralStep.To(ReferralState.Canceled, ReferralReasons.RefereeClosed);
        if (facts.ReferrerStatus == "closed" || facts.ReferrerUser is null)
            return ReferralStep.To(ReferralState.Canceled, ReferralReasons.ReferrerClosed);
        if (facts.HasReceived)
            return ReferralStep.To(ReferralState.Canceled, ReferralReasons.AlreadyReceived);
        if (facts.IsRefused)
            return ReferralStep.To(ReferralState.Canceled, ReferralReasons.ReviewRefused);
        return state switch
        {
            ReferralState.Touched => Touched(facts, users, terms, now),
            ReferralState.Held when HoldOf(facts) is not null => ReferralStep.Wait(now + Later),
            ReferralState.Held => users is null ? ReferralStep.AskKeycloak : ReferralStep.To(ReferralState.Pending),
            _ => Settling(state, facts, users, terms, now),
        };
    }

    private static ReferralStep Touched(ReferralFacts facts, ReferralUsers? users, ReferralTerms terms, DateTimeOffset now)
    {
        var until = facts.TouchedAt + terms.Within;
        var isMet = terms.IsMet(facts);
        if (!isMet && facts.IsChecked)
            return now >= until ? ReferralStep.To(ReferralState.Expired) : ReferralStep.Wait(Earlier(until, now + Later));
        if (users is null)
            return ReferralStep.AskKeycloak;
        var isChecked = users.Referrer is not null;
        if (users.HaveSameInbox)
            return ReferralStep.To(ReferralState.Refused, ReferralReasons.SameInbox);
        if (!facts.IsChecked && users.Referrer is { IsVerified: false })
            return ReferralStep.To(ReferralState.Refused, ReferralReasons.ReferrerNotVerified);
        var isWhole = isMet && users is { Referrer.IsVerified: true, Referee.IsVerified: true };
        if (isWhole && facts is { RefereeStatus: "active", ReferrerStatus: "active" })
            return ReferralStep.To(ReferralState.Pending);
        return now >= until
            ? ReferralStep.To(ReferralState.Expired)
            : ReferralStep.Wait(Earlier(until, now + (isMet ? Soon : Later))) with { Checks = isChecked };
    }

    private static ReferralStep Settling(
        ReferralState state, ReferralFacts facts, ReferralUsers? users, ReferralTerms terms, DateTimeOffset now)
    {
        if (now < facts.SettlesAt)
            return ReferralStep.Wait(facts.SettlesAt);
        if (!terms.IsMet(facts))
            return ReferralStep.To(ReferralState.Canceled, ReferralReasons.NotMet);
        if (users is null)
            return ReferralStep.AskKeycloak;
        // One that Keycloak does not have is deleted: the account is closed within moments, and says so itself.
        if (users.Referrer is null || users.Referee is null)
            return ReferralStep.Wait(now + Soon);
        if (users.HaveSameInbox)
            return ReferralStep.To(ReferralState.Canceled, ReferralReasons.SameInbox);
        if (!users.Referee.IsVerified)
            return ReferralStep.To(ReferralState.Canceled, ReferralReasons.NotVerified);
        if (!users.Referrer.IsVerified)
            return ReferralStep.To(ReferralState.Canceled, ReferralReasons.ReferrerNotVerified);
        if (facts.Review is null && users.Hold is not null)
        {
            return (state == ReferralState.Capped
                ? ReferralStep.Wait(now + Later)
                : ReferralStep.To(ReferralState.Held, ReferralReasons.InReview)) with { OpensHold = true };
        }

        if (state == ReferralState.Capped)
            return facts is { RefereeStatus: "active", IsInReview: false } ? ReferralStep.PayReferee : ReferralStep.Wait(now + Later);
        if (HoldOf(facts) is { } hold)
            return ReferralStep.To(ReferralState.Held, hold);
        return ReferralStep.To(state == ReferralState.Pending ? ReferralState.Earned : ReferralState.Paid);
    }

    private static string? HoldOf(ReferralFacts facts) =>
        facts is not { RefereeStatus: "active", ReferrerStatus: "active" } ? ReferralReasons.AccountHeld
        : facts.IsInReview ? ReferralReasons.InReview
        : facts.Referees >= FewestReferees && facts.DeletedReferees > facts.Referees * MostDeleted ? ReferralReasons.RefereesDeleted
        : null;

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;
}

/// <summary>What follows for a referral.</summary>
/// <param name="State">The next state; null where it stays as it is.</param>
/// <param name="Reason">See <see cref="ReferralReasons"/>.</param>
/// <param name="DueAt">When it is evaluated again; null for never.</param>
internal sealed record ReferralStep(ReferralState? State, string? Reason, DateTimeOffset? DueAt)
{
    /// <summary>Keycloak has to be asked first.</summary>
    public static readonly ReferralStep AskKeycloak = new(null, null, null);

    /// <summary>The referee alone is paid, and the state stays.</summary>
    public static readonly ReferralStep PayReferee = new(null, null, null);

    /// <summary>Whether what had to be asked of Keycloak once was asked.</summary>
    public bool Checks { get; init; }

    /// <summary>Whether what the referee is paid is held back.</summary>
    public bool OpensHold { get; init; }

    public bool AsksKeycloak => ReferenceEquals(this, AskKeycloak);

    public bool PaysReferee => ReferenceEquals(this, PayReferee);

    public static ReferralStep To(ReferralState state, string? reason = null) => new(state, reason, null);

    public static ReferralStep Wait(DateTimeOffset? until) => new(null, null, until);
}
