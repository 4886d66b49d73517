using System.Text.RegularExpressions;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Policy.Tasks;

/// <summary>What is wrong with tasks.</summary>
internal static partial class TaskOptionsValidator
{
    private const int MostTasks = 200;

    private static readonly TimeSpan LongestSettle = TimeSpan.FromDays(30);
    private static readonly TimeSpan ShortestWithin = TimeSpan.FromHours(1);
    private static readonly TimeSpan LongestWithin = TimeSpan.FromDays(3650);

    private static readonly string[] Credentials = ["otp", "webauthn", "webauthn-passwordless", "recovery-authn-codes"];

    public static IEnumerable<string> Problems(string key, IReadOnlyDictionary<string, TaskOptions>? tasks)
    {
        if (tasks is null)
            yield break;
        if (tasks.Count > MostTasks)
            yield return $"{key} has {tasks.Count} tasks: give at most {MostTasks}.";
        foreach (var (name, task) in tasks)
        {
            if (!Name().IsMatch(name))
                yield return $"{key}:{name} is no name of a task: use a to z, 0 to 9, - and _, at most 40 characters, such as first-call.";
            foreach (var problem in TaskProblems($"{key}:{name}", task, tasks))
                yield return problem;
        }

        if (RingOf(tasks) is { } ring)
            yield return $"{key} has tasks that require each other: {string.Join(" -> ", ring)}. Take one of these requirements out.";
    }

    private static IEnumerable<string> TaskProblems(string key, TaskOptions task, IReadOnlyDictionary<string, TaskOptions> tasks)
    {
        if (task.Credits is not { } credits)
            yield return $"{key}:Credits is missing: give what the task pays.";
        else if (GrantAmount.ProblemWith(credits) is { } problem)
            yield return $"{key}:Credits {problem}";
        if (GrantsOptionsValidator.ProblemWith(task.ExpiresAfter) is { } end)
            yield return $"{key}:ExpiresAfter {end}";
        if (task.Settle < TimeSpan.Zero || task.Settle > LongestSettle)
            yield return $"{key}:Settle is {task.Settle}: choose 00:00:00 to 30.00:00:00.";
        if (task.Within < ShortestWithin || task.Within > LongestWithin)
            yield return $"{key}:Within is {task.Within}: choose 01:00:00 to 3650.00:00:00.";
        if (KindsOf(task.Evidence).ToList() is not [_] and var kinds)
        {
            yield return kinds.Count == 0
                ? $"{key}:Evidence names nothing: give one of EmailVerified, Profile, Credential, IdentityProvider, Group, Role, "
                    + "FirstUsage, Reported."
                : $"{key}:Evidence names {string.Join(" and ", kinds)}: give one, and make the others tasks of their own.";
        }

        foreach (var credential in task.Evidence.Credential.Except(Credentials, StringComparer.Ordinal))
            yield return $"{key}:Evidence:Credential has '{credential}': choose {string.Join(", ", Credentials)}.";
        if (task.Evidence.Reported != task.Clients.Count > 0)
        {
            yield return task.Evidence.Reported
                ? $"{key}:Clients is empty: name the clients that may report it."
                : $"{key}:Clients has no effect without Evidence:Reported: remove it.";
        }

        foreach (var required in task.Requires.Where(name =>
            name is not (Requirements.EmailVerified or Requirements.Welcome) && !tasks.ContainsKey(name)))
        {
            yield return $"{key}:Requires has '{required}': choose {Requirements.EmailVerified}, {Requirements.Welcome} or another task: "
                + $"{string.Join(", ", tasks.Keys)}.";
        }
    }

    private static IEnumerable<string> KindsOf(TaskEvidenceOptions evidence)
    {
        if (evidence.EmailVerified)
            yield return nameof(evidence.EmailVerified);
        if (evidence.Profile.Count > 0)
            yield return nameof(evidence.Profile);
        if (evidence.Credential.Count > 0)
            yield return nameof(evidence.Credential);
        if (evidence.IdentityProvider.Count > 0)
            yield return nameof(evidence.IdentityProvider);
        if (evidence.Group.Length > 0)
            yield return nameof(evidence.Group);
        if (evidence.Role.Length > 0)
            yield return nameof(evidence.Role);
        if (evidence.FirstUsage)
            yield return nameof(evidence.FirstUsage);
        if (evidence.Reported)
            yield return nameof(evidence.Reported);
    }

    // The first ring of requirements, or null.
    private static List<string>? RingOf(IReadOnlyDictionary<string, TaskOptions> tasks)
    {
        HashSet<string> done = new(StringComparer.Ordinal);
        List<string> path = [];
        return tasks.Keys.Select(Visit).FirstOrDefault(ring => ring is not null);

        List<string>? Visit(string name)
        {
            if (path.IndexOf(name) is >= 0 and var at)
                return [.. path[at..], name];
            if (!tasks.TryGetValue(name, out var task) || done.Contains(name))
                return null;
            path.Add(name);
            var ring = task.Requires.Select(Visit).FirstOrDefault(found => found is not null);
            path.RemoveAt(path.Count - 1);
            done.Add(name);
            return ring;
        }
    }

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9_-]{0,39}\z")]
    private static partial Regex Name();
}
