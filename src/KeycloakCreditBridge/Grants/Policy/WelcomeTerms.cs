using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Rules;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Policy;

/// <summary>The welcome of a realm as it is configured.</summary>
/// <param name="options">As configured.</param>
/// <param name="invites">Tells invitations of our own; null where there are none.</param>
/// <param name="opening">How long an opening grant lasts where the welcome does not say it.</param>
/// <param name="others">Rules that others than the welcome itself ask, such as experiments to know their users.</param>
internal sealed class WelcomeTerms(
    WelcomeOptions options, InviteLinks? invites = null, TimeSpan? opening = null, IReadOnlyList<WelcomeRule>? others = null)
{
    /// <summary>Name of the policy, and key of the grant that pays what was withheld.</summary>
    public const string Policy = Requirements.Welcome;

    private IReadOnlyList<WelcomeRule>? _asked;

    /// <summary>Stands for the configuration on the grants that it gave.</summary>
    public string Version { get; } =
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(options)))[..6]);

    /// <summary>Null for those of the opening tier.</summary>
    public decimal? Credits { get; } = options.Credits;

    public IReadOnlyList<WelcomeRule> Rules { get; } = [.. options.Rules.Select((rule, index) => new WelcomeRule(rule, index, invites))];

    /// <summary>All rules that a user is read for.</summary>
    public IReadOnlyList<WelcomeRule> Asked =>
        _asked ??= others is { Count: > 0 } ? [.. Rules, .. others] : Rules;

    public IReadOnlyList<string> Requires { get; } = [.. options.Requires];

    /// <summary>How long after the user's creation the rules are asked.</summary>
    public TimeSpan DecideAfter { get; } = options.DecideAfter;

    /// <summary>Whether a part waits for the user, or for its time.</summary>
    public bool Waits => Requires.Count > 0 || DecideAfter > TimeSpan.Zero;

    public TimeSpan? VerifyWithin { get; } = options.VerifyWithin;

    /// <summary>Null without an end; what the opening grant has where the welcome says nothing.</summary>
    public TimeSpan? ExpiresAfter { get; } = options.ExpiresAfter ?? opening;

    /// <summary>What a new account opens with, and what waits.</summary>
    /// <param name="user">The user.</param>
    /// <param name="tierCredits">What the account would open with if there were no policy.</param>
    /// <param name="arm">What an experiment says; null without one.</param>
    public Share ShareOf(GrantUser user, decimal tierCredits, WelcomeArm? arm = null)
    {
        var all = user.HasMappedTier ? tierCredits : arm?.Credits ?? options.Credits ?? tierCredits;
        var waits = Asked.Count > 0 || arm?.Arm is not null || DecideAfter > TimeSpan.Zero || RequiresOf(user).Any();
        var atOnce = waits ? Math.Min(options.Before, all) : all;
        return new Share(atOnce, all - atOnce);
    }

    /// <summary>Whether the user was read as fully as the rules need.</summary>
    public bool CanDecide(GrantUser user) => Asked.All(rule => rule.CanBeAsked(user));

    /// <summary>What the welcome comes to, in the order in which budgets are asked; the last choice has none.</summary>
    public IEnumerable<GrantChoice> ChoicesOf(GrantUser user, AccountFacts facts)
    {
        var (arm, tier) = (facts.Arm, (string?)null);
        foreach (var rule in Rules.Where(rule => rule.Matches(user, facts.Attribution ?? user.Registration?.Attribution)))
        {
            // What the rule for all others gives is what an experiment compares.
            if (rule.IsForAll && arm?.Arm is not null)
            {
                tier = rule.Tier;
                break;
            }

            yield return new GrantChoice(
                rule.Name, Math.Max(rule.Credits - facts.OpenedWith, 0m), rule.Budget, rule.ExpiresAfter ?? ExpiresAfter,
                user.HasMappedTier ? null : rule.Tier);
            if (rule.Budget is null)
                yield break;
        }

        yield return arm?.Arm is not null
            ? new GrantChoice(arm.Rule, Math.Max(arm.Credits - facts.OpenedWith, 0m), null, arm.ExpiresAfter ?? ExpiresAfter, tier)
            : new GrantChoice(null, facts.Withheld ?? 0m, null, arm?.ExpiresAfter ?? ExpiresAfter, null);
    }

    /// <summary>What a user of an account whose welcome is decided gets more; null where nothing.</summary>
    public GrantChoice? TopUpOf(GrantUser user, AccountFacts facts)
    {
        if (user.HasMappedTier || facts.Withheld is not null || facts.Welcomed is not { } welcomed || !CanDecide(user))
            return null;
        var rule = Rules.FirstOrDefault(rule => rule.Matches(user, facts.Attribution ?? user.Registration?.Attribution));
        return rule is { TopUpKey: { } key } && rule.Tier != facts.Tier && rule.Credits > welcomed && !facts.Given.Contains(key)
            && !facts.Stopped.Contains(key)
            ? new GrantChoice(rule.Name, rule.Credits - welcomed, rule.Budget, rule.ExpiresAfter ?? ExpiresAfter, rule.Tier)
            : null;
    }

    /// <summary>What the user must meet. An address can count once only where it is verified.</summary>
    public IEnumerable<string> RequiresOf(GrantUser user) =>
        user.WelcomeOncePer != OncePer.User ? Requires.Union([Requirements.EmailVerified], StringComparer.Ordinal) : Requires;
}

/// <summary>How welcome credits are divided.</summary>
/// <param name="AtOnce">The opening grant.</param>
/// <param name="Withheld">What waits for the requirements.</param>
internal sealed record Share(decimal AtOnce, decimal Withheld)
{
    /// <summary>The same while a review holds it back.</summary>
    /// <param name="most">What the account opens with at most.</param>
    public Share WhileHeld(decimal most)
    {
        var atOnce = Math.Min(most, AtOnce);
        return new Share(atOnce, AtOnce + Withheld - atOnce);
    }
}
