using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Page.Sessions;

namespace KeycloakCreditBridge.Page.Gate;

/// <summary>Carries out what operators do. Each act, done or refused, is audited.</summary>
internal sealed class ActRunner(PageAuditStore audit, PageMetrics metrics)
{
    /// <exception cref="RequestRefusedException">The operator may not, or the work refused it.</exception>
    public async Task<T> DoAsync<T>(HttpContext context, PageAct act, Func<Task<T>> work)
    {
        var user = Operator.Of(context);
        T answer;
        try
        {
            user.Demand(act.Realm, Access.Change);
            answer = await work();
        }
        catch (RequestRefusedException refusal)
        {
            await audit.AddAsync(context, user, act, refusal.Message);
            throw;
        }

        await audit.AddAsync(context, user, act);
        metrics.Changed();
        return answer;
    }
}
