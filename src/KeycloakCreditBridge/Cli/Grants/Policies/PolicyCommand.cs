using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Cli.Grants.Policies;

/// <summary>Extends a policy to older accounts, ends its grants, and takes back what it gave.</summary>
internal static class PolicyCommand
{
    public static Task<int> SwitchAsync(CommandHost host, string[] settings, NamedPolicy policy, bool disables, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var realms = await services.GetRequiredService<PolicyStore>().SwitchAsync(
                policy.Policy, ConfiguredRealms.Of(services, policy.Realm), disables,
                services.GetRequiredService<TimeProvider>().GetUtcNow(), cancellationToken);
            if (realms.Count == 0)
            {
                await Console.Error.WriteLineAsync(disables
                    ? $"Policy {Printable.Of(policy.Policy)} is active in none of these realms: it gave nothing, or is disabled already."
                    : $"Policy {Printable.Of(policy.Policy)} is disabled in none of these realms.");
                return ExitCode.SomeFailed;
            }

            foreach (var realm in realms)
            {
                await Console.Out.WriteLineAsync(json
                    ? JsonSerializer.Serialize(new SwitchedPolicy(policy.Policy, realm, disables), PolicyJson.Default.SwitchedPolicy)
                    : $"Policy {Printable.Of(policy.Policy)} gives {(disables ? "no more grants" : "grants again")} in realm "
                        + $"{Printable.Of(realm)}.{(disables ? " What it gave stays." : "")}");
            }

            return ExitCode.Done;
        });

    public static Task<int> ApplyAsync(CommandHost host, string[] settings, NamedPolicy policy, ApplyWish wish, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var realm = OneRealm(services, policy.Realm);
            var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
            if (CreditsOf(services.GetRequiredService<Hot<GrantPolicy>>().Current, realm, policy.Policy, now) is not var (credits, most))
            {
                await Console.Error.WriteLineAsync(
                    $"Policy {Printable.Of(policy.Policy)} is not configured in realm {Printable.Of(realm)}: see section Grants.");
                return ExitCode.SomeFailed;
            }

            var order = new PolicyApplication(realm, policy.Policy, wish.CreatedAfter, credits, most, wish.MaxCredits, wish.Confirmed);
            if (await services.GetRequiredService<PolicyApplicationStore>().ApplyAsync(order, now, cancellationToken) is not { } cost)
            {
                await Console.Error.WriteLineAsync(
                    $"Policy {Printable.Of(policy.Policy)} is not active in realm {Printable.Of(realm)}: it is once the service evaluated "
                    + "a user with it. A disabled one needs `grants enable` first.");
                return ExitCode.SomeFailed;
            }

            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(
                    new AppliedPolicy(policy.Policy, realm, cost.Accounts, cost.Credits, cost.IsApplied), PolicyJson.Default.AppliedPolicy)
                : Line(policy, realm, cost));
            if (cost.Credits > wish.MaxCredits)
                await Console.Error.WriteLineAsync($"Nothing was done: that is more than --max-credits {Number(wish.MaxCredits)}.");
            else if (!cost.IsApplied && wish.Confirmed is not null)
                await Console.Error.WriteLineAsync(NotConfirmed(wish.Confirmed.Value, cost.Accounts, "accounts"));
            return cost.IsApplied || (wish.Confirmed is null && cost.Credits <= wish.MaxCredits) ? ExitCode.Done : ExitCode.SomeFailed;
        });

    public static Task<int> VoidAsync(CommandHost host, string[] settings, NamedPolicy policy, PolicyVoidWish wish, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var grants = await services.GetRequiredService<PolicyStore>().GrantsAsync(
                policy.Policy, ConfiguredRealms.Of(services, policy.Realm), wish.From, wish.Until, cancellationToken);
            var (voided, taken) = (0L, 0m);
            if (wish.Confirmed == grants.Count)
            {
                var book = services.GetRequiredService<GrantBook>();
                foreach (var grant in grants)
                {
                    var result = await book.VoidAsync(
                        new GrantVoid(grant.AccountId, grant.Key, wish.Reach, wish.Reason, GrantsCommand.Author), cancellationToken);
                    if (result.Outcome == GrantChangeOutcome.Done)
                        (voided, taken) = (voided + 1, taken + result.Taken);
                }
            }

            var given = grants.Sum(grant => grant.Amount);
            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(
                    new VoidedPolicy(policy.Policy, grants.Count, given, voided, taken), PolicyJson.Default.VoidedPolicy)
                : string.Create(CultureInfo.InvariantCulture, $"Policy {Printable.Of(policy.Policy)} gave {grants.Count} grants of ")
                    + $"{Number(given)} credits in this time that are open. "
                    + (wish.Confirmed == grants.Count
                        ? string.Create(CultureInfo.InvariantCulture, $"Voided {voided} of them: took {Number(taken)}.")
                        : string.Create(CultureInfo.InvariantCulture, $"Add --confirm {grants.Count} to void them.")));
            if (wish.Confirmed is not { } confirmed || confirmed == grants.Count)
                return ExitCode.Done;
            await Console.Error.WriteLineAsync(NotConfirmed(confirmed, grants.Count, "grants"));
            return ExitCode.SomeFailed;
        });

    // What is confirmed is a number of accounts of one realm.
    private static string OneRealm(IServiceProvider services, string? realm) =>
        ConfiguredRealms.Of(services, realm) is [var one] ? one : throw new Configuration.ConfigurationException(
            [$"--realm is missing: Keycloak:Realms has {string.Join(", ", ConfiguredRealms.Of(services, null))}."]);

    private static (decimal Credits, decimal Most)? CreditsOf(GrantPolicy policy, string realm, string name, DateTimeOffset now)
    {
        if (policy.PoliciesOf(realm) is not { } policies)
            return null;
        if (name != WelcomeTerms.Policy)
            return policies.Tasks.FirstOrDefault(task => task.Key == name)?.Credits is { } credits ? (credits, credits) : null;
        if (policies.Welcome is not { } welcome)
            return null;
        var all = welcome.Credits ?? policy.RulesOf(realm).Opening(now, null).Amount;
        return (all, welcome.Rules.Select(rule => rule.Credits).Append(all).Max());
    }

    private static string Line(NamedPolicy policy, string realm, PolicyCost cost)
    {
        var what = string.Create(CultureInfo.InvariantCulture, $"{cost.Accounts} accounts of realm {Printable.Of(realm)}, ")
            + $"which can earn at most {Number(cost.Credits)} credits";
        return cost.IsApplied
            ? $"Policy {Printable.Of(policy.Policy)} now concerns {what}. The running service evaluates them."
            : string.Create(
                CultureInfo.InvariantCulture,
                $"Policy {Printable.Of(policy.Policy)} would concern {what}. Add --confirm {cost.Accounts} to apply it.");
    }

    private static string NotConfirmed(long confirmed, long counted, string what) => string.Create(
        CultureInfo.InvariantCulture, $"Nothing was done: --confirm says {confirmed}, and these are {counted} {what}.");

    private static string Number(decimal amount) => amount.ToString("0.00####", CultureInfo.InvariantCulture);
}

/// <param name="Policy">`welcome`, or `task:` and a task's name.</param>
/// <param name="Realm">Only this realm; null for all configured ones.</param>
internal sealed record NamedPolicy(string Policy, string? Realm);

/// <summary>What `grants apply` extends.</summary>
/// <param name="Confirmed">How many accounts these are; null where they are counted only.</param>
internal sealed record ApplyWish(DateTimeOffset CreatedAfter, decimal MaxCredits, long? Confirmed);

/// <summary>What `grants void --policy` takes back.</summary>
/// <param name="Until">Exclusive.</param>
/// <param name="Confirmed">How many grants these are; null where they are counted only.</param>
internal sealed record PolicyVoidWish(DateTimeOffset From, DateTimeOffset Until, VoidReach Reach, string Reason, long? Confirmed);

/// <summary>A line of `grants disable --json` and `grants enable --json`.</summary>
internal sealed record SwitchedPolicy(string Policy, string Realm, bool Disabled);

/// <summary>The line of `grants apply --json`.</summary>
/// <param name="Credits">The most that these accounts can earn.</param>
internal sealed record AppliedPolicy(string Policy, string Realm, long Accounts, decimal Credits, bool Applied);

/// <summary>The line of `grants void --policy --json`.</summary>
/// <param name="Credits">What these grants came to when they were given.</param>
/// <param name="Taken">What was taken from the balances.</param>
internal sealed record VoidedPolicy(string Policy, long Grants, decimal Credits, long Voided, decimal Taken);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(SwitchedPolicy))]
[JsonSerializable(typeof(AppliedPolicy))]
[JsonSerializable(typeof(VoidedPolicy))]
internal sealed partial class PolicyJson : JsonSerializerContext;
