using System.Text;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Grants.Awards;
using KeycloakCreditBridge.Grants.Policy.Tasks;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Credits.Tasks;

/// <summary>Takes reports of applications that a user has done a task.</summary>
internal sealed class TaskEndpoints(
    AccountLookup accounts, BalanceStore balances, BalanceCache cache, FirstRead firstRead, TaskCompletionStore completions,
    Hot<GrantPolicy> policies, TimeProvider clock)
{
    private const int LongestEvidence = 2_048;

    /// <summary>
    /// 201 where the report pays, 200 where the task was paid before, 202 where something else is missing: then it is kept, and paid when
    /// that is met. It may be repeated.
    /// </summary>
    public async Task<IResult> CompleteAsync(HttpContext context, string name)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var (user, evidence) = (fields.UserId("user_id"), fields.OptionalObject("evidence")?.ToJsonString());
        fields.Check();
        if (evidence is not null && Encoding.UTF8.GetByteCount(evidence) > LongestEvidence)
        {
            throw RequestRefusedException.Invalid(
                new Dictionary<string, string> { ["evidence"] = $"is longer than {LongestEvidence} bytes" });
        }

        var caller = Caller.Of(context);
        var task = TaskOf(caller, name);
        var selector = accounts.Select(caller, user);
        var account = (await accounts.FindOrOpenAsync(
            caller, selector, () => balances.FindAsync(selector, context.RequestAborted), context.RequestAborted)).AccountId;
        // It goes on when the caller disconnects, who could not know the outcome otherwise.
        var kept = await completions.KeepAsync(account, task.Name, caller.ClientId!, evidence, clock.GetUtcNow(), CancellationToken.None)
            ?? throw RequestRefusedException.NoAccount(user);
        if (kept.Status == "closed")
            throw new RequestRefusedException(StatusCodes.Status409Conflict, "The account is closed: it earns nothing.");
        if (!kept.IsGiven)
            await EvaluateAsync(caller.Realm, user);
        cache.Forget(account);
        var given = await completions.GivenAsync(account, task.Name, CancellationToken.None);
        return TypedResults.Json(
            new TaskCompletionShape(account, task.Name, given is not null, given is { } amount ? Amount.Text(amount) : null),
            statusCode: kept.IsGiven ? StatusCodes.Status200OK
                : given is null ? StatusCodes.Status202Accepted
                : StatusCodes.Status201Created);
    }

    private TaskTerms TaskOf(Caller caller, string name)
    {
        var task = policies.Current.PoliciesOf(caller.Realm)?.Tasks.FirstOrDefault(task => task.Name == name)
            ?? throw new RequestRefusedException(StatusCodes.Status404NotFound, $"There is no task '{name}' in this realm.");
        if (!task.IsReported)
        {
            throw new RequestRefusedException(
                StatusCodes.Status400BadRequest, $"Task '{name}' is not reported: Keycloak says whether it is done.");
        }

        return caller.ClientId is { } client && task.Clients.Contains(client, StringComparer.Ordinal)
            ? task
            : throw new RequestRefusedException(
                StatusCodes.Status403Forbidden,
                $"Client '{caller.ClientId}' may not report task '{name}': add it to Grants:Tasks:{name}:Clients.");
    }

    // The scheduled evaluation pays where Keycloak does not answer now.
    private async Task EvaluateAsync(string realm, string user)
    {
        try
        {
            await firstRead.ConvergeFromKeycloakAsync(realm, user, HintSources.FirstRead, CancellationToken.None);
        }
        catch (KeycloakException)
        {
        }
    }
}
