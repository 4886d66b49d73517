namespace KeycloakCreditBridge.Metering.Reports.Records;

/// <summary>What a record is about.</summary>
internal enum RecordKind
{
    /// <summary>A call that generated something.</summary>
    Call,

    /// <summary>A step in the life of an object of the provider, which is charged once.</summary>
    ProviderObject,

    /// <summary>
    /// A read or a management call, which generates nothing. Its record repeats the usage of the call that created the object.
    /// </summary>
    Read,
}

/// <summary>LiteLLM's call types. Each also exists with the prefix `a`, for asynchronous.</summary>
internal static class CallTypes
{
    private static readonly HashSet<string> Responses = new(StringComparer.Ordinal) { "responses", "get_responses", "cancel_responses" };

    private static readonly HashSet<string> ProviderObjects = new(StringComparer.Ordinal)
    {
        "create_batch", "retrieve_batch", "cancel_batch",
        "create_file", "file_retrieve", "file_content", "file_delete",
        "create_fine_tuning_job", "retrieve_fine_tuning_job", "cancel_fine_tuning_job",
    };

    private static readonly HashSet<string> Reads = new(StringComparer.Ordinal)
    {
        "get_responses", "cancel_responses", "delete_responses", "list_input_items",
        "list_batches", "file_list", "list_fine_tuning_jobs",
        "vector_store_create", "vector_store_retrieve", "vector_store_list", "vector_store_update", "vector_store_delete",
        "vector_store_file_create", "vector_store_file_list", "vector_store_file_retrieve", "vector_store_file_content",
        "vector_store_file_update", "vector_store_file_delete",
        "video_retrieve", "video_retrieve_job", "video_content", "video_list", "video_delete", "video_get_character",
        "get_assistants", "delete_assistant", "get_thread", "get_messages",
        "list_containers", "retrieve_container", "delete_container", "list_container_files", "list_mcp_tools",
    };

    private static readonly HashSet<string> FinalStatuses = new(StringComparer.Ordinal)
    {
        "completed", "succeeded", "incomplete", "failed", "cancelled", "expired",
    };

    /// <param name="status">`status` of a batch, job or response; null where the record hides it.</param>
    public static bool IsFinal(string? status) => status is not null && FinalStatuses.Contains(status);

    /// <param name="callType">`call_type`; null in old releases.</param>
    /// <param name="isBackground">The response is generated after its creation, so that only a later read reports the cost.</param>
    public static RecordKind KindOf(string? callType, bool isBackground) => callType switch
    {
        null => RecordKind.Call,
        _ when ProviderObjects.Matches(callType) || (isBackground && Responses.Matches(callType)) => RecordKind.ProviderObject,
        _ when Reads.Matches(callType) => RecordKind.Read,
        _ => RecordKind.Call,
    };

    private static bool Matches(this HashSet<string> types, string callType) =>
        types.Contains(callType) || (callType.StartsWith('a') && types.Contains(callType[1..]));
}
