using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Policy.Tasks;

/// <summary>The part of the plan that concerns tasks. Pure.</summary>
internal static class TaskPlan
{
    /// <summary>What each task of the realm that was not paid comes to.</summary>
    public static PlannedTasks Of(GrantUser user, AccountFacts facts, IReadOnlyCollection<TaskTerms> tasks, DateTimeOffset now)
    {
        List<GrantOffer> due = [];
        var met = facts.Given.ToHashSet(StringComparer.Ordinal);
        var open = tasks.Where(task => IsOpen(task, facts)).ToList();
        // A task that is due now meets what another one requires of it: both are paid together.
        for (var added = true; added;)
        {
            added = false;
            foreach (var task in open.Where(task => !met.Contains(task.Key)))
            {
                if (OfferOf(task, user, facts, met, now) is not { IsDue: true } offer)
                    continue;
                due.Add(offer.Offer with { Choices = [new GrantChoice(null, task.Credits, null, task.ExpiresAfter, null)] });
                added = met.Add(task.Key);
            }
        }

        var waiting = open.Where(task => !met.Contains(task.Key)).Select(task => OfferOf(task, user, facts, met, now)).ToList();
        return new PlannedTasks(
            due,
            [.. waiting.Select(item => item.Offer)],
            [.. waiting.Where(item => item.SettlesAt is not null && !facts.Settling.ContainsKey(item.Task.Name))
                .Select(item => new SettlingTask(item.Task.Name, item.SeenAt, item.SettlesAt!.Value))],
            [.. open.Where(task => facts.Settling.ContainsKey(task.Name) && task.IsDone(user, facts) == false).Select(task => task.Name)]);
    }

    /// <summary>Whether the account may still earn it: it was opened since the task is active, and was not paid for it.</summary>
    public static bool IsOpen(TaskTerms task, AccountFacts facts) =>
        !facts.Given.Contains(task.Key) && !facts.Stopped.Contains(task.Key)
        && facts.Activated.TryGetValue(task.Key, out var since) && facts.OpenedAt >= since;

    private static Evaluated OfferOf(
        TaskTerms task, GrantUser user, AccountFacts facts, HashSet<string> met, DateTimeOffset now)
    {
        var isDone = task.IsDone(user, facts);
        var seenAt = facts.Reported.TryGetValue(task.Name, out var reportedAt) ? reportedAt
            : facts.Settling.TryGetValue(task.Name, out var since) ? since
            : task.IsFirstUsage && facts.FirstUsageAt is { } usedAt ? usedAt
            : user.SeenAt ?? now;
        var until = task.Within is { } within ? (user.CreatedAt ?? facts.OpenedAt) + within : (DateTimeOffset?)null;
        var isLapsed = until <= (isDone == true ? seenAt : now);
        string[] missing = [
            .. isDone == true ? Array.Empty<string>() : [task.Evidence],
            .. task.Requires.Where(required => required != task.Evidence && !IsMet(required, user, met)),
            .. facts.Taken.Contains((task.Once, task.Key)) ? [Requirements.UnusedAddress] : Array.Empty<string>(),
        ];
        var settlesAt = isDone == true && task.Settle > TimeSpan.Zero ? seenAt + task.Settle : (DateTimeOffset?)null;
        var offer = new GrantOffer(
            task.Key, task.Credits, isLapsed ? OfferStates.Lapsed : OfferStates.Open, missing, until, task.Key, task.Version)
        {
            SettlesAt = settlesAt > now ? settlesAt : null,
        };
        return new Evaluated(task, offer, seenAt, isLapsed ? null : settlesAt, missing.Length == 0 && !isLapsed && !(settlesAt > now));
    }

    private static bool IsMet(string requirement, GrantUser user, HashSet<string> met) => requirement switch
    {
        Requirements.EmailVerified => user.HasVerifiedAddress,
        Requirements.Welcome => met.Contains(Requirements.Welcome),
        _ => met.Contains($"task:{requirement}"),
    };

    private sealed record Evaluated(TaskTerms Task, GrantOffer Offer, DateTimeOffset SeenAt, DateTimeOffset? SettlesAt, bool IsDue);
}

/// <param name="Due">Tasks that are done, with all that they require.</param>
/// <param name="Offers">Tasks that wait, or came too late.</param>
/// <param name="Settling">Tasks whose evidence was first seen now and must stand for a while.</param>
/// <param name="Undone">Tasks whose evidence did not stand.</param>
internal sealed record PlannedTasks(
    IReadOnlyList<GrantOffer> Due, IReadOnlyList<GrantOffer> Offers, IReadOnlyList<SettlingTask> Settling, IReadOnlyList<string> Undone);
